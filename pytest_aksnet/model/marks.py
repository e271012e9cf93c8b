"""The label by which everything that a run of pytest-aksnet creates is known. Data only."""

RUN_LABEL = "aksnet.io/run"
