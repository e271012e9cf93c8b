"""A node, its machine and its interface as ARM has them, for tests to change."""

from pytest_aksnet.expectations.azure_blame import Finding
from pytest_aksnet.expectations.azure_machines import ClusterNode
from pytest_aksnet.model.azure_machines import Interface, IpConfiguration, Machine, ScaleSet
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_samples import VNET_ID

SET_ID = "/subscriptions/s/resourcegroups/mc/providers/microsoft.compute/virtualmachinescalesets/x"
MACHINE_ID = f"{SET_ID}/virtualmachines/0"
NIC_ID = f"{MACHINE_ID}/networkinterfaces/x"
SUBNET_ID = f"{VNET_ID}/subnets/nodes"

NODE = ClusterNode(name="x000000", machine=MACHINE_ID, pool="user", addresses=("10.224.0.4",))
SET = ScaleSet(
    id=SET_ID,
    name="x",
    pool="user",
    orchestration="uniform",
    size="Standard_D4s_v5",
    capacity=1,
    provisioning_state="Succeeded",
)
MACHINE = Machine(
    id=MACHINE_ID,
    name="x_0",
    computer_name="x000000",
    pool="user",
    size="Standard_D4s_v5",
    provisioning_state="Succeeded",
    power_state="running",
)
CONFIGURATION = IpConfiguration(
    id=f"{NIC_ID}/ipconfigurations/ipconfig1",
    ip="10.224.0.4",
    subnet=SUBNET_ID,
    public_address="",
)
NIC = Interface(
    id=NIC_ID,
    machine=MACHINE_ID,
    is_primary=True,
    accelerated=True,
    forwards=True,
    configurations=(CONFIGURATION,),
    mac="00:0d:3a:00:00:01",
    security_group="",
    dns_servers=(),
)


def outcome(found: Finding) -> Outcome:
    """Pass, fail or neither."""
    return found.verdict.outcome
