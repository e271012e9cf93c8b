"""How the cluster is found, and what is said where it is not."""

import base64
import json
import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pytest_aksnet.cluster.access import load_access
from pytest_aksnet.cluster.credentials import ExecPlugin, TokenFile
from pytest_aksnet.model.errors import AksnetError, EnvironmentProblem, SettingsError

WriteKubeconfig = Callable[..., str]


def message(error: pytest.ExceptionInfo[AksnetError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_the_file_that_was_given_is_used(write_kubeconfig: WriteKubeconfig) -> None:
    path = write_kubeconfig("http://10.0.0.1:6443/")
    access = load_access(path, None, {})
    assert (access.server, access.context) == ("http://10.0.0.1:6443", "prod")
    assert access.credentials.authorization() == "Bearer s3cret"
    assert access.kubectl == ("--kubeconfig", path)


def test_a_file_that_is_not_there_is_named_with_both_ways_out(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load_access(str(tmp_path / "nope"), None, {})
    text = message(error)
    assert f"--aksnet-kubeconfig={tmp_path / 'nope'}" in text
    assert "--aksnet-lab" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: [1\nb: token-s3cret", "is not YAML at line 2"),
        ("", "is empty"),
        ("just text", "is no kubeconfig"),
        ("clusters: 3", "'clusters' is no list"),
        ("clusters: [{cluster: {}}]", "lacks its name"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_refused_without_quoting_it(
    tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        load_access(str(path), None, {})
    assert words in message(error)
    assert "s3cret" not in message(error)


def test_a_directory_is_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load_access(str(tmp_path), None, {})
    assert "cannot be read" in message(error)


def test_a_context_that_does_not_exist_lists_the_known_ones(
    write_kubeconfig: WriteKubeconfig,
) -> None:
    with pytest.raises(SettingsError) as error:
        load_access(write_kubeconfig("http://x"), "staging", {})
    assert "--aksnet-context=staging" in message(error)
    assert message(error).endswith("known are: prod")


def test_the_first_file_of_the_list_wins_and_missing_ones_are_skipped(tmp_path: Path) -> None:
    paths = []
    for name, server in (("one", "http://one"), ("two", "http://two")):
        path = tmp_path / name
        document = {
            "current-context": name,
            "clusters": [{"name": "k", "cluster": {"server": server}}],
            "contexts": [{"name": name, "context": {"cluster": "k"}}],
        }
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        paths.append(str(path))
    listed = os.pathsep.join([str(tmp_path / "missing"), *paths])
    access = load_access(None, None, {"KUBECONFIG": listed})
    assert (access.context, access.server) == ("one", "http://one")
    assert load_access(None, "two", {"KUBECONFIG": listed}).server == "http://one"


def test_a_list_of_missing_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load_access(None, None, {"KUBECONFIG": str(tmp_path / "missing")})
    assert "KUBECONFIG=" in message(error)


def test_no_cluster_at_all_names_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SettingsError) as error:
        load_access(None, None, {})
    assert "--aksnet-kubeconfig" in message(error)
    assert "--aksnet-lab" in message(error)


def test_a_kubeconfig_without_current_context_asks_for_one(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("contexts: [{name: a, context: {}}]", encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        load_access(str(path), None, {})
    assert message(error).endswith("choose one with --aksnet-context: a")


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ({"certificate-authority": "/no/such/ca"}, "no file /no/such/ca"),
        ({"certificate-authority-data": "!!"}, "certificate-authority-data is no base64"),
        (
            {"certificate-authority-data": base64.b64encode(b"no pem").decode()},
            "certificates cannot be used",
        ),
    ],
)
def test_broken_certificates_are_found_when_reading(
    write_kubeconfig: WriteKubeconfig, cluster: dict[str, str], words: str
) -> None:
    path = write_kubeconfig("https://x", **cluster)
    with pytest.raises(SettingsError) as error:
        load_access(path, None, {})
    assert words in message(error)


def test_a_server_that_is_no_address_is_refused(write_kubeconfig: WriteKubeconfig) -> None:
    with pytest.raises(SettingsError) as error:
        load_access(write_kubeconfig("ftp://x"), None, {})
    assert "'ftp://x'" in message(error)


def test_a_password_becomes_basic_authentication(write_kubeconfig: WriteKubeconfig) -> None:
    path = write_kubeconfig("http://x", user={"username": "u", "password": "p"})
    authorization = load_access(path, None, {}).credentials.authorization()
    assert authorization == "Basic " + base64.b64encode(b"u:p").decode()


def test_a_token_file_is_found_from_the_kubeconfig_and_read_again(
    write_kubeconfig: WriteKubeconfig, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("one\n", encoding="ascii")
    path = write_kubeconfig("http://x", user={"tokenFile": "token"})
    credentials = load_access(path, None, {}).credentials
    assert isinstance(credentials, TokenFile)
    assert credentials.authorization() == "Bearer one"
    assert credentials.at_hand() == "Bearer one"
    assert credentials.renew("Bearer one") is False
    (tmp_path / "token").write_text("two", encoding="ascii")
    assert credentials.renew("Bearer one") is True
    assert credentials.authorization() == "Bearer two"


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[..., dict[str, object]]:
    """Writes a credential plugin with this body and gives the user that names it."""

    def write(body: str, **more: object) -> dict[str, object]:
        path = tmp_path / "plugin"
        path.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin", **more}
        return {"exec": spec}

    return write


def answer(status: str) -> str:
    head = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"'
    return f"print('{head}, \"status\": %s}}' % json.dumps({status}))"


def test_a_credential_plugin_is_run_once_and_again_when_its_token_expires(
    write_kubeconfig: WriteKubeconfig, plugin: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    body = (
        f"n = len(open({str(tmp_path / 'runs')!r}, 'a+').read())\n"
        f"file = open({str(tmp_path / 'runs')!r}, 'a'); file.write('x'); file.close()\n"
        f"n = os.path.getsize({str(tmp_path / 'runs')!r})\n"
        "stamp = '2020-01-01T00:00:00Z' if n == 1 else '2199-01-01T00:00:00Z'\n"
        + answer("{'token': f't{n}', 'expirationTimestamp': stamp}")
    )
    credentials = load_access(write_kubeconfig("http://x", user=plugin(body)), None, {}).credentials
    assert isinstance(credentials, ExecPlugin)
    assert credentials.authorization() == "Bearer t2"
    assert credentials.authorization() == "Bearer t2"
    assert credentials.at_hand() == "Bearer t2"
    assert credentials.renew("Bearer t1") is True  # somebody has renewed that one already
    assert credentials.authorization() == "Bearer t2"
    assert credentials.renew("Bearer t2") is True
    assert credentials.at_hand() is None
    assert credentials.authorization() == "Bearer t3"


def test_a_credential_plugin_learns_what_it_asked_for(
    write_kubeconfig: WriteKubeconfig, plugin: Callable[..., dict[str, object]]
) -> None:
    body = (
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "words = [sys.argv[1], os.environ['E'], info['spec']['cluster']['server']]\n"
        + answer("{'token': '-'.join(words)}")
    )
    user = plugin(body, args=["a"], env=[{"name": "E", "value": "e"}], provideClusterInfo=True)
    credentials = load_access(write_kubeconfig("http://x", user=user), None, {}).credentials
    assert credentials.authorization() == "Bearer a-e-http://x"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sys.exit('please run az login')", "exit code 1: please run az login"),
        ("print('no json')", "no ExecCredential"),
        (answer("{}"), "neither a token nor a client certificate"),
        ('print(\'{"apiVersion": "v0", "status": {"token": "t"}}\')', "'v0'"),
    ],
)
def test_a_plugin_that_fails_is_named_with_its_own_words(
    write_kubeconfig: WriteKubeconfig,
    plugin: Callable[..., dict[str, object]],
    body: str,
    words: str,
) -> None:
    path = write_kubeconfig("http://x", user=plugin(body))
    with pytest.raises(EnvironmentProblem) as error:
        load_access(path, None, {})
    assert words in message(error)
    assert "user 'u'" in message(error)


def test_a_missing_plugin_gives_its_install_hint(write_kubeconfig: WriteKubeconfig) -> None:
    spec = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "no-such-kubelogin",
        "installHint": "install\n  kubelogin",
    }
    with pytest.raises(EnvironmentProblem) as error:
        load_access(write_kubeconfig("http://x", user={"exec": spec}), None, {})
    assert message(error).endswith("there is no such program; install kubelogin")


def test_a_plugin_that_needs_a_terminal_is_refused_with_a_remedy(
    write_kubeconfig: WriteKubeconfig, plugin: Callable[..., dict[str, object]]
) -> None:
    path = write_kubeconfig("http://x", user=plugin("", interactiveMode="Always"))
    with pytest.raises(SettingsError) as error:
        load_access(path, None, {})
    assert "kubelogin convert-kubeconfig" in message(error)


def test_an_oidc_provider_gives_its_token(write_kubeconfig: WriteKubeconfig) -> None:
    def part(content: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    token = f"{part({'a': 1})}.{part({'exp': int(time.time()) + 9999})}.c2ln"
    user = {"auth-provider": {"name": "oidc", "config": {"id-token": token}}}
    credentials = load_access(write_kubeconfig("http://x", user=user), None, {}).credentials
    assert credentials.authorization() == f"Bearer {token}"
