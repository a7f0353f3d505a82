"""Which of QEMU's options have an argument, and which have none."""

from __future__ import annotations

_ALONE = frozenset(
    """
    alt-grab async-teardown audio-help ctrl-grab curses daemonize enable-fips enable-kvm
    enable-sync-profile full-screen h help mem-prealloc no-acpi no-fd-bootchk no-frame no-hpet
    no-kvm no-kvm-irqchip no-kvm-pit no-kvm-pit-reinjection no-quit no-reboot no-shutdown
    no-user-config nodefaults nodefconfig nographic old-param only-migratable portrait preconfig
    rtc-td-hack S s sdl semihosting show-cursor singlestep snapshot tdf usb V version win2k-hack
    xen-attach xen-create xen-domid-restrict
    """.split()
)
"""Those of QEMU 7.2, of all targets, and of versions around it."""

_WITH_ARGUMENT = frozenset(
    """
    accel acpitable action add-fd append audio audiodev balloon bios blockdev boot bt cdrom chardev
    chroot clock compat cpu d D debugcon device dfilter display drive dtb dump-vmstate echr export
    fda fdb fsdev fw_cfg g gdb global hda hdachs hdb hdc hdd icount incoming initrd iscsi k kernel
    kvm-shadow-memory L loadvm m machine mem-path mon monitor msg mtdblock name nbd-server net
    netdev nic no-kvm-pit-reinject numa object option-rom overcommit parallel pflash pidfile plugin
    prom-env qmp qmp-pretty qtest qtest-log readconfig realtime redir rotate rtc run-with runas
    sandbox sd seed semihosting-config serial set shim smbios smb smp soundhw spice tb-size tpmdev
    trace usbdevice uuid vga virtfs virtfs_synth virtioconsole vnc watchdog watchdog-action
    writeconfig xen-domid
    """.split()
)


def takes_argument(option: str, following: str) -> bool:
    """
    Whether an option has the next word for its argument.

    One that is not known has, unless that looks like an option itself.

    :param option: without its dashes.
    """
    if option in _WITH_ARGUMENT:
        return True
    return option not in _ALONE and not following.startswith("-")
