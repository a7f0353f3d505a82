"""What txqmp adds to ``twistd``, ``twist`` and the strings of endpoints."""

from twisted.application.service import ServiceMaker

from txqmp.machine.endpoint import MachineStringParser
from txqmp.proxy.endpoints import DescriptorClientParser, DescriptorServerParser
from txqmp.proxy.mutual import MutualTLSParser
from txqmp.replay.endpoint import ReplayStringParser

qmp_proxy = ServiceMaker(
    "QEMU monitor proxy",
    "txqmp.service.proxyoptions",
    "Record what clients say to a QEMU monitor.",
    "qmp-proxy",
)

qmp_logger = ServiceMaker(
    "QEMU monitor logger",
    "txqmp.service.logger",
    "Record the events of QEMU monitors.",
    "qmp-logger",
)

machine_parser = MachineStringParser()

replay_parser = ReplayStringParser()

mutual_tls_parser = MutualTLSParser()

descriptor_server_parser = DescriptorServerParser()

descriptor_client_parser = DescriptorClientParser()
