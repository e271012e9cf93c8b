"""What Azure Resource Manager says of network security groups: data only.

Ids are in lower case. What ARM's answer lacks is None, or empty where it is text or a list.
"""

from dataclasses import dataclass

from pytest_aksnet.model.arm import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityRule:
    """One rule, in ARM's own words: addresses are prefixes, `*` or service tags, ports texts.

    `is_by_members` is whether it names application security groups, whose members ARM does not
    tell here.
    """

    id: str
    name: str
    priority: int | None
    direction: str
    access: str
    protocol: str
    sources: tuple[str, ...]
    source_ports: tuple[str, ...]
    destinations: tuple[str, ...]
    destination_ports: tuple[str, ...]
    is_default: bool = False
    is_by_members: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """One group with its own rules and Azure's default ones, and the ids of where it is in force.

    `interfaces` are network interfaces, also those of scale sets. `is_whole` is whether ARM gave
    both lists of rules.
    """

    id: str
    rules: tuple[SecurityRule, ...]
    subnets: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    is_whole: bool = True

    @property
    def name(self) -> str:
        """Its name."""
        return self.id.rpartition("/")[2]


SECURITY_GROUPS: Topic[tuple[SecurityGroup, ...]] = Topic(
    "security-groups", ("Microsoft.Network/networkSecurityGroups/read",)
)
