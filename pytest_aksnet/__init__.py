"""pytest-aksnet proves, with packets, that the network of an AKS cluster does what it promises.

This file stays empty of code: pytest imports it in every run that has the plugin installed.
The public surface is the option table, the fixtures, the marker, the hooks, `probes` and
`expectations`; everything else is internal.
"""
