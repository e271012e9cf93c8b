"""What a run leaves on disk: evidence, results (JSON lines and JSON), HTML, baselines.

The only writer of files. It must not look at the cluster, judge, or know any layer but the model.
"""
