"""A node that tracks only so many connections and drops new ones beyond, as with a full table.

Linux has one limit for all network namespaces (nf_conntrack_max, read-only in all but the first),
so the limit here is a rule that counts. `facade.conntrack_limit` has what `nf_conntrack_max` shows.
"""

from pytest_aksnet.lab.network.tables import TableProgram

TABLE = "connection-limit"


def connection_limit(most: int | None) -> TableProgram | None:
    """The table that drops whatever begins once `most` connections are tracked; None without."""
    if most is None:
        return None
    return TableProgram(
        base=f"""chain count-new {{
            ct state new ct count over {most} drop
        }}
        chain arriving {{
            type filter hook prerouting priority -150
            jump count-new
        }}
        chain leaving {{
            type filter hook output priority -150
            jump count-new
        }}"""
    )
