"""What txqmp adds to ``twistd``, ``twist`` and the strings of client endpoints."""

from twisted.application.service import ServiceMaker

from txqmp.machine.endpoint import MachineStringParser

qmp_proxy = ServiceMaker(
    "QEMU monitor proxy",
    "txqmp.service.proxy",
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
