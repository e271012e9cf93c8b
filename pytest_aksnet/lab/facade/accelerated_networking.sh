# Shows a node's accelerated networking in the mount namespace it runs in: a facade.
# $1 driver of the VF, $2 name of the VF's interface, $3 text of the ethtool wrapper, $4 "idle" where
# all traffic is to look as if it went by the synthetic path, "" otherwise.
# Doing it again is harmless; it adds what is missing.
set -eu
driver=$1 vf=$2 wrapper=$3 idle=$4
own=/run/aksnet-lab
net=/sys/devices/virtual/net

# Lower layers only: a write fails then instead of ending in a copy of the kernel's file.
show() { mount -t overlay -o "ro,userxattr,lowerdir=$own/$1:$net/$2" overlay "$net/$2"; }

if ! [ -d "$own/eth0" ]; then
    mkdir -p "$own"
    mount -t tmpfs -o mode=755 tmpfs "$own"
    mkdir -p "$own/eth0/device" "$own/vf/device"
    ln -s ../../../../../bus/vmbus/drivers/hv_netvsc "$own/eth0/device/driver"
    ln -s "../../../../../bus/pci/drivers/$driver" "$own/vf/device/driver"
    ln -s ../eth0 "$own/vf/master"
    if [ -e /usr/sbin/ethtool ]; then
        : > "$own/ethtool-of-the-system"
        mount --bind /usr/sbin/ethtool "$own/ethtool-of-the-system"
        printf '%s' "$wrapper" > "$own/ethtool"
        chmod 755 "$own/ethtool"
        mount --bind "$own/ethtool" /usr/sbin/ethtool
    fi
fi
# Of the link itself: what it names is nowhere in this kernel.
if ! [ -L "$net/eth0/device/driver" ]; then
    show eth0 eth0
fi
if [ -d "$net/$vf" ] && ! [ -e "$net/$vf/master" ]; then
    ln -sfn "../../../../../bus/pci/drivers/$driver" "$own/vf/device/driver"
    show vf "$vf"
fi
if [ -n "$idle" ]; then
    : > "$own/vf-idle"
elif [ -e "$own/vf-idle" ]; then
    rm "$own/vf-idle"
fi
if [ -d "$net/$vf" ]; then
    if [ "$net/$vf/statistics" -ef "$net/eth0/statistics" ]; then
        [ -z "$idle" ] || umount "$net/$vf/statistics"
    elif [ -z "$idle" ]; then
        mount --bind "$net/eth0/statistics" "$net/$vf/statistics"
    fi
fi
