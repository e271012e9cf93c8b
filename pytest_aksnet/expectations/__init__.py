"""What a network profile promises, as rows with their source, and how an observation is judged.

Pure: observations and facts in, `Verdict` out. No row without the document that says it; a row
that nobody confirmed on a live cluster warns and never fails. Nothing here runs or parses.
"""
