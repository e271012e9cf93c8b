#!/bin/sh
# A facade over ethtool: `-i` and `-S` of interfaces that /sys shows with an Azure driver print what
# that driver would. Everything else is done by the system's own ethtool.
#
# hv_netvsc counts what went over the VF as vf_*. Here that is eth0's real traffic but for one packet
# in 64, the share of the synthetic path; without a VF it is 0, as in a machine that never had one.
real=/run/aksnet-lab/ethtool-of-the-system
net=/sys/class/net

[ $# -eq 2 ] || exec "$real" "$@"
case $1 in
-i | --driver) ask=driver ;;
-S | --statistics) ask=statistics ;;
*) exec "$real" "$@" ;;
esac
driver=$(readlink "$net/$2/device/driver" 2>/dev/null) || exec "$real" "$@"
driver=${driver##*/}

count() { read -r value < "$net/$1/statistics/$2" && echo "$value"; }
line() { printf '     %s: %s\n' "$1" "$2"; }

has_vf() {
    for master in "$net"/*/master; do
        [ "$(readlink -f "$master")" = "$(readlink -f "$net/$1")" ] && return 0
    done
    return 1
}

describe() {
    case $driver in
    hv_netvsc) firmware=N/A bus=000d3a5e-1000-000d-3a5e-1000000d3a5e ;;
    mana) firmware= bus=7870:00:00.0 ;;
    *) firmware='14.30.1284 (MSF0010110035)' bus=9a50:00:02.0 ;;
    esac
    printf 'driver: %s\nversion: %s\nfirmware-version: %s\n' "$driver" "$(uname -r)" "$firmware"
    printf 'expansion-rom-version: \nbus-info: %s\nsupports-statistics: yes\n' "$bus"
    printf 'supports-test: no\nsupports-eeprom-access: no\nsupports-register-dump: no\n'
    printf 'supports-priv-flags: no\n'
}

count_netvsc() {
    vf=0
    has_vf "$1" && ! [ -e /run/aksnet-lab/vf-idle ] && vf=1
    for name in tx_scattered tx_no_memory tx_no_space tx_too_big tx_busy tx_send_full \
        rx_comp_busy rx_no_memory stop_queue wake_queue vlan_error; do
        line "$name" 0
    done
    for name in rx_packets rx_bytes tx_packets tx_bytes; do
        total=$(count "$1" "$name")
        line "vf_$name" $((vf * (total - total / 64)))
    done
    line vf_tx_dropped 0
    for way in tx rx; do
        for what in packets bytes; do
            total=$(count "$1" "${way}_$what")
            line "${way}_queue_0_$what" $((total - vf * (total - total / 64)))
        done
    done
}

count_vf() {
    case $driver in
    mana)
        line stop_queue 0
        line wake_queue 0
        prefix=_0
        ;;
    *) prefix= ;;
    esac
    for way in rx tx; do
        for what in packets bytes; do
            line "$way${prefix}_$what" "$(count "$1" "${way}_$what")"
        done
    done
    [ "$driver" = mana ] || line rx_out_of_buffer 0
}

if [ "$ask" = driver ]; then
    describe
else
    echo 'NIC statistics:'
    if [ "$driver" = hv_netvsc ]; then count_netvsc "$2"; else count_vf "$2"; fi
fi
