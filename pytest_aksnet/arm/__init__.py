"""What Azure Resource Manager says of the cluster: the only importer of azure.

Read-only, and asked only where credentials are configured (`signs`). Nothing of azure is imported
before that, and no metadata service is probed to find out whether there might be credentials.
"""
