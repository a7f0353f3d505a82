"""
The commands of QEMU's human monitor that have arguments: how QEMU reads those.

Each line is a command of QEMU 7.2 or, where it has none of that name, of an older or a newer
one, with its arguments as QEMU's own table has them (``hmp-commands.hx``):

``s``, ``B``, ``F``
    a word, which may be quoted; ``S``, the rest of the line
``O``
    a word of options
``i``, ``l``, ``M``, ``o``, ``T``
    a number, or an expression
``/``
    a format; ``b``, on or off
``-x``
    a flag; ``-xs``, one with a word

with ``?`` or ``.`` behind what may be absent.
"""

from __future__ import annotations

_TABLE = """
acl_add aclname:s,match:s,policy:s,index:i?
acl_policy aclname:s,policy:s
acl_remove aclname:s,match:s
acl_reset aclname:s
acl_show aclname:s
announce_self interfaces:s?,id:s?
balloon value:M
block_job_cancel force:-f,device:B
block_job_complete device:B
block_job_pause device:B
block_job_resume device:B
block_job_set_speed device:B,speed:o
block_passwd device:B,password:s
block_resize device:B,size:o
block_set_io_throttle device:B,bps:l,bps_rd:l,bps_wr:l,iops:l,iops_rd:l,iops_wr:l
block_stream device:B,speed:o?,base:s?
boot_set bootdevice:s
calc_dirty_rate dirty_ring:-r,dirty_bitmap:-b,second:l,sample_pages_per_GB:l?
cancel_vcpu_dirty_limit cpu_index:l?
change device:B,force:-f,target:F,arg:s?,read-only-mode:s?
chardev-add args:s
chardev-change id:s,args:s
chardev-remove id:s
chardev-send-break id:s
client_migrate_info protocol:s,hostname:s,port:i?,tls-port:i?,cert-subject:s?
closefd fdname:s
commit device:B
cpu index:i
delvm name:s
device_add device:O
device_del id:s
drive_add node:-n,pci_addr:s,opts:s
drive_backup reuse:-n,full:-f,compress:-c,device:B,target:s,format:s?
drive_del id:B
drive_mirror reuse:-n,full:-f,device:B,target:s,format:s?
dump-guest-memory paging:-p,detach:-d,windmp:-w,zlib:-z,lzo:-l,snappy:-s,raw:-R,filename:F,begin:l?,length:l?
dump-skeys filename:F
dumpdtb filename:F
eject force:-f,device:B
expire_password protocol:s,time:s,display:-ds
gdbserver device:s?
getfd fdname:s
gpa2hpa addr:l
gpa2hva addr:l
gva2gpa addr:l
help name:S?
host_net_add device:s,opts:s?
host_net_redir arg1:s,arg2:s?
host_net_remove vlan_id:i,device:s
hostfwd_add arg1:s,arg2:s?,arg3:s?
hostfwd_remove arg1:s,arg2:s?,arg3:s?
i fmt:/,addr:i,index:i.
loadvm name:s
log items:s
logfile filename:F
mce broadcast:-b,cpu_index:i,bank:i,status:l,mcg_status:l,addr:l,misc:l
memsave val:l,size:i,filename:s
migrate detach:-d,blk:-b,inc:-i,resume:-r,uri:s
migrate_continue state:s
migrate_incoming uri:s
migrate_recover uri:s
migrate_set_cache_size value:o
migrate_set_capability capability:s,state:b
migrate_set_downtime value:T
migrate_set_parameter parameter:s,value:s
migrate_set_speed value:o
mouse_button button_state:i
mouse_move dx_str:s,dy_str:s,dz_str:s?
mouse_set index:i
nbd_server_add writable:-w,device:B,name:s?
nbd_server_remove force:-f,name:s
nbd_server_start all:-a,writable:-w,uri:s
netdev_add netdev:O
netdev_del id:s
o fmt:/,addr:i,val:i
object_add object:S
object_del id:s
pci_add pci_addr:s,type:s,opts:s?
pci_del pci_addr:s
pcie_aer_inject_error advisory_non_fatal:-a,correctable:-c,id:s,error_status:s,header0:i?,header1:i?,header2:i?,header3:i?,prefix0:i?,prefix1:i?,prefix2:i?,prefix3:i?
pmemsave val:l,size:i,filename:s
print fmt:/,val:l
qemu-io qdev:-d,device:B,command:s
qom-get path:s,property:s
qom-list path:s?
qom-set json:-j,path:s,property:s,value:S
replay_break icount:l
replay_seek icount:l
ringbuf_read device:s,size:i
ringbuf_write device:s,data:s
savevm name:s?
screendump filename:F,format:-fs,device:s?,head:i?
sendkey keys:s,hold-time:i?
set_link name:s,up:s
set_password protocol:s,password:s,display:-ds,connected:s?
set_vcpu_dirty_limit dirty_rate:l,cpu_index:l?
singlestep option:s?
snapshot_blkdev reuse:-n,device:B,snapshot-file:s?,format:s?
snapshot_blkdev_internal device:B,name:s
snapshot_delete_blkdev_internal device:B,name:s,id:s?
stopcapture n:i
sum start:i,size:i
sync-profile op:s?
trace-event name:s,option:b,vcpu:i?
trace-file op:s?,arg:F?
usb_add devname:s
usb_del devname:s
watchdog_action action:s
wavcapture path:F,audiodev:s?,freq:i?,bits:i?,nchannels:i?
x fmt:/,addr:l
x_colo_lost_heartbeat
xp fmt:/,addr:l
"""  # noqa: E501

Parameter = tuple[str, str]
"""The name of an argument and its type."""


def _parameters(text: str) -> tuple[Parameter, ...]:
    parts = (part.partition(":") for part in text.split(",") if part)
    return tuple((name, kind) for name, _, kind in parts)


PARAMETERS: dict[str, tuple[Parameter, ...]] = {
    name.replace("_", "-"): _parameters(text)
    for name, _, text in (line.partition(" ") for line in _TABLE.split("\n") if line)
}
"""By the plain name of the command (:func:`txqmp.policy.names.plain`)."""

IMPLIED = {
    "netdev-add": "type",
    "device-add": "driver",
    "object-add": "qom-type",
    "chardev-add": "backend.type",
    "chardev-change": "backend.type",
    "host-net-add": "type",
}
"""What an option without a name is, at the beginning of a word of options."""
