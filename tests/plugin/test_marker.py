"""The marker: what it must say, and how a wrong one ends collection."""

import pytest

WHOLE = 'id="dns.name", feature="dns", severity="major"'


def source(arguments: str, docstring: str = "A name resolves.") -> str:
    return f'''
import pytest

@pytest.mark.aksnet({arguments})
def test_it():
    """{docstring}"""
'''


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ('feature="dns", severity="major"', "the id is missing"),
        ('id="", feature="dns", severity="major"', "the id is missing"),
        ('id="a", severity="major"', "unknown feature None"),
        ('id="a", feature="dnss", severity="major"', "unknown feature 'dnss'"),
        ('id="a", feature="dns", severity="huge"', "unknown severity 'huge'; choose one of crit*"),
        (f'{WHOLE}, control="x"', "unknown argument 'control'"),
        (f'{WHOLE}, controls="x"', "controls must be a tuple"),
        (f'"x", {WHOLE}', "give its arguments by name"),
    ],
)
def test_a_wrong_marker_is_a_usage_error(
    pytester: pytest.Pytester, arguments: str, named: str
) -> None:
    pytester.makepyfile(source(arguments))
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*::test_it: {named}*"])


def test_a_check_without_a_docstring_is_a_usage_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(source(WHOLE, docstring=""))
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*::test_it: the docstring is missing*"])


def test_a_repeated_id_names_both_tests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_one=source(WHOLE), test_two=source(WHOLE))
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*test_two.py::test_it: the id 'dns.name' is already that of test_one.py::test_it*"]
    )


def test_parametrised_variants_share_their_id(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f'''
        import pytest

        @pytest.mark.aksnet({WHOLE})
        @pytest.mark.parametrize("n", [1, 2])
        def test_it(n):
            """A name resolves."""
        '''
    )
    pytester.runpytest().assert_outcomes(passed=2)


def test_a_wrong_marker_is_found_although_it_is_deselected(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(source('feature="dns", severity="major"'))
    assert pytester.runpytest("-k", "nothing").ret == pytest.ExitCode.USAGE_ERROR


def test_a_wrong_marker_under_xdist_is_one_clear_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(source('feature="dns", severity="major"'))
    result = pytester.runpytest_subprocess("-n2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "".join(result.errlines).count("the id is missing") == 1
    assert "Traceback" not in "".join(result.outlines + result.errlines)
