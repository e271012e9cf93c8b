"""Suites that tests of this folder copy and run: nothing here is collected by itself."""
