#!/bin/bash
# Proves that a kernel is tried without risk: a disk image with a boot loader and two Debian kernels starts in QEMU, and the real mpsec inside it installs, tries, verifies
# and goes back. Touches only files below its work folder. Needs root, qemu-system-x86, debootstrap, fdisk, a build of mpsec, and Debian's package archive; for
# LOADER=systemd-boot (UEFI) also ovmf, dosfstools and mtools; its panic also a kernel here that mounts vfat. Without LOADER it is GRUB (BIOS). Each boot loader wants a work folder of its own.
#   prove-boot.sh WORK BUILD RUN...     WORK: folder for images and transcripts; BUILD: folder that a published mpsec is in; RUN: installed, then kept watched panic silent failed hang
# "installed" installs the new kernel inside the machine and leaves the disk that the others begin with. WORK/proof.json, where it is, is given to it.
set -euo pipefail
work=$(readlink -f "$1"); build=$(readlink -f "$2"); shift 2
old=${OLD_KERNEL:-linux-image-6.1.0-56-cloud-amd64}
new=${NEW_KERNEL:-linux-image-6.12.117+deb12-cloud-amd64}
limit=${LIMIT:-5400}
loader=${LOADER:-grub}
case $loader in
  grub) part=1 boots=grub-pc-bin,grub2-common firmware=() ;;
  systemd-boot) part=2 copied=false boots=systemd,systemd-boot,dosfstools ;;
  *) echo "prove-boot.sh: LOADER is grub or systemd-boot" >&2; exit 2 ;;
esac
root=$work/root; disk=$work/base.img; mount=$work/mount.$$; loop=

clean() {
  set +e
  for at in "$mount/boot/efi" "$mount/dev" "$mount/proc" "$mount/sys" "$mount"; do mountpoint -q "$at" && umount "$at"; done
  rmdir "$mount" 2>/dev/null
  if [ -n "$loop" ]; then partx -d "$loop" 2>/dev/null; losetup -d "$loop"; loop=; fi
}
trap clean EXIT

prepare_root() {
  [ -x "$root/usr/sbin/update-initramfs" ] || debootstrap --variant=minbase \
    --include="$boots,kmod,initramfs-tools,busybox,iproute2,procps,libicu72,libssl3,ca-certificates,zlib1g,util-linux,fdisk" bookworm "$root" http://deb.debian.org/debian
  mkdir -p "$work/debs"
  for package in "$old" "$new"; do
    compgen -G "$work/debs/${package}_*.deb" >/dev/null || (cd "$work/debs" && apt-get download "$package")
  done
}

attach() { # image
  loop=$(losetup -f --show "$1")
  partx -a "$loop" 2>/dev/null || true # some kernels find partitions of loop devices by themselves
  mkdir -p "$mount"
  mount "${loop}p$part" "$mount"
}

# The user's file, with the distribution's default: it must be the same at the end.
make_grub() {
  cat >"$mount/etc/default/grub" <<'GRUB'
GRUB_DEFAULT=0
GRUB_TIMEOUT=1
GRUB_TIMEOUT_STYLE=menu
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="console=ttyS0 quiet init=/sbin/proof-init"
GRUB_TERMINAL=serial
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
GRUB_DISABLE_OS_PROBER=true
GRUB
  chroot "$mount" grub-install --target=i386-pc "$loop"
  chroot "$mount" sh -c 'dpkg -i /root/proof/linux-image-6.1.*.deb' >"$work/old-kernel.log" 2>&1
  chroot "$mount" update-grub
  grep -c vmlinuz "$mount/boot/grub/grub.cfg"
}

make_systemd_boot() {
  export SYSTEMD_RELAX_ESP_CHECKS=1 # there is no udev that knows partitions
  mkfs.vfat -F 32 "${loop}p1" >/dev/null; mkdir -p "$mount/boot/efi"
  # Where this kernel knows no vfat, the files are made in memory and copied.
  mount "${loop}p1" "$mount/boot/efi" 2>/dev/null || { copied=true; mount -t tmpfs esp "$mount/boot/efi"; }
  tr -d - </proc/sys/kernel/random/uuid >"$mount/etc/machine-id"
  chroot "$mount" bootctl install --no-variables --esp-path=/boot/efi --make-entry-directory=yes
  echo "root=UUID=$uuid ro console=ttyS0 quiet panic=10 init=/sbin/proof-init" >"$mount/etc/kernel/cmdline"
  chroot "$mount" sh -c 'dpkg -i /root/proof/linux-image-6.1.*.deb' >"$work/old-kernel.log" 2>&1
  ls "$mount/boot/efi/loader/entries"
  if $copied; then mcopy -s -i "${loop}p1" "$mount"/boot/efi/* ::/; fi
}

make_disk() {
  rm -f "$disk"; truncate -s 3G "$disk"
  case $loader in
    grub) echo 'start=2048, type=83, bootable' | sfdisk -q "$disk" ;;
    systemd-boot) printf 'label: gpt\nstart=2048, size=400M, type=uefi\ntype=linux\n' | sfdisk -q "$disk" ;;
  esac
  loop=$(losetup -f --show "$disk"); partx -a "$loop" 2>/dev/null || true
  mkfs.ext4 -q "${loop}p$part"; mkdir -p "$mount"; mount "${loop}p$part" "$mount"
  cp -a "$root/." "$mount/"
  mkdir -p "$mount/usr/share/dotnet" "$mount/opt/mpsec" "$mount/root/proof"
  cp -a /usr/share/dotnet/. "$mount/usr/share/dotnet/"; ln -sf /usr/share/dotnet/dotnet "$mount/usr/bin/dotnet"
  cp -a "$build/." "$mount/opt/mpsec/"; ln -sf /opt/mpsec/mpsec "$mount/usr/bin/mpsec"
  cp "$work"/debs/"${old}"_*.deb "$work"/debs/"${new}"_*.deb "$mount/root/proof/"
  [ ! -f "$work/proof.json" ] || cp "$work/proof.json" "$mount/root/proof/"
  uuid=$(blkid -o value -s UUID "${loop}p$part")
  echo "UUID=$uuid / ext4 defaults 0 1" >"$mount/etc/fstab"
  # A /dev of its own, so that no link is made in ours.
  mount -t tmpfs dev "$mount/dev"; mkdir -p "$mount/dev/disk/by-uuid"
  for node in null zero urandom random tty; do cp -a "/dev/$node" "$mount/dev/$node"; done
  cp -a "$loop" "${loop}p$part" "$mount/dev/"; ln -s "../../$(basename "$loop")p$part" "$mount/dev/disk/by-uuid/$uuid"
  mount -t proc proc "$mount/proc"; mount -t sysfs -o ro sysfs "$mount/sys"
  mkdir -p "$mount/etc/initramfs-tools/conf.d"; printf 'COMPRESS=gzip\nCOMPRESSLEVEL=1\n' >"$mount/etc/initramfs-tools/conf.d/proof"; echo 'MODULES=list' >"$mount/etc/initramfs-tools/conf.d/modules"; printf 'virtio_pci\nvirtio_blk\next4\n' >"$mount/etc/initramfs-tools/modules"
  "make_${loader//-/_}"
  cat >"$mount/sbin/proof-init" <<'INIT'
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DOTNET_TieredPGO=0 DOTNET_ROOT=/usr/share/dotnet
mount -o remount,rw /; mountpoint -q /proc || mount -t proc proc /proc; mountpoint -q /sys || mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev; mountpoint -q /run || mount -t tmpfs run /run; mkdir -p /dev/disk/by-uuid; ip link set lo up
if [ -d /sys/firmware/efi ]; then
  ln -sf ../../vda2 "/dev/disk/by-uuid/$(blkid -o value -s UUID /dev/vda2)"; export SYSTEMD_RELAX_ESP_CHECKS=1
  mount -t efivarfs efivarfs /sys/firmware/efi/efivars; mount /dev/vda1 /boot/efi; user=/etc/kernel/cmdline
else
  ln -sf ../../vda1 "/dev/disk/by-uuid/$(blkid -o value -s UUID /dev/vda1)"; user=/etc/default/grub
fi
exec </dev/null >/dev/ttyS0 2>&1
stage=$(($(cat /root/proof/stage 2>/dev/null || echo 0) + 1)); echo "$stage" >/root/proof/stage; sync
say() { echo "PROOF $stage $*"; }
run() { say "\$ $*"; "$@" 2>&1 | sed "s/^/PROOF $stage | /"; code=${PIPESTATUS[0]}; say "exit $code"; }
again() { say 'starts anew'; sync; busybox reboot -f; sleep 1000; }
off() { say 'off'; sync; busybox poweroff -f; sleep 1000; }
menu() {
  if [ -d /sys/firmware/efi ]; then
    for name in LoaderInfo LoaderEntryDefault LoaderEntryOneShot; do echo "$name=$(tail -c +5 "/sys/firmware/efi/efivars/$name-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" 2>/dev/null | tr -d '\0')"; done
  else grub-editenv /boot/grub/grubenv list; fi
}
state() {
  say "kernel $(uname -r); $(grep -o 'panic=[0-9]*\|[a-z_]*_panic=1' /proc/cmdline | tr '\n' ' '); $(menu | tr '\n' ' ')"
  cmp -s "$user" /root/proof/user.before && say 'user file unchanged' || say 'USER FILE CHANGED'
}
state
. /root/proof/run
off
INIT
  chmod 755 "$mount/sbin/proof-init"; cp "$mount/$([ "$loader" = grub ] && echo etc/default/grub || echo etc/kernel/cmdline)" "$mount/root/proof/user.before"
  clean
}

# What happens at each start, by its number.
stages() { # run
  local try='run mpsec kernel try'
  case $1 in
    installed)
      local proof=--override-proof
      [ ! -f "$work/proof.json" ] || proof='--proof /root/proof/proof.json'
      echo "run mpsec kernel install --package /root/proof/linux-image-6.12*.deb $proof --dry-run; run mpsec kernel install --package /root/proof/linux-image-6.12*.deb $proof --minutes 1; state; ls /etc/default/grub.d /boot/efi/loader/entries; echo 0 >/root/proof/stage" ;;
    kept) echo "case \$stage in 1) $try; run mpsec kernel boots; again ;; 2) run mpsec kernel verify --keep; again ;; 3) run mpsec kernel boots ;; esac" ;;
    # The dashboard runs under the new kernel and judges by itself.
    watched) echo "case \$stage in 1) $try; again ;; 2) mpsec serve --urls http://127.0.0.1:8080 >/root/serve.log 2>&1 & for i in \$(seq 300); do (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null && break; sleep 2; done; for i in \$(seq 300); do sleep 5; mpsec kernel boots >/root/boots; grep -q Kept /root/boots && break; done; run cat /root/boots; run tail -n 5 /root/serve.log; state; again ;; 3) run mpsec kernel boots ;; esac" ;;
    panic) echo "case \$stage in 1) $try; again ;; 2) run mpsec kernel verify; again ;; 3) say 'the default is still the old one' ;; esac" ;;
    silent) echo "case \$stage in 1) $try; again ;; 2) say 'nobody verifies'; again ;; 3) run mpsec kernel verify ;; esac" ;;
    failed) echo "case \$stage in 1) $try; again ;; 2) sysctl -w net.mptcp.enabled=0; run mpsec kernel verify; again ;; 3) run mpsec kernel verify; run mpsec kernel remove \$(ls /boot/vmlinuz-6.12* | sed s/.*vmlinuz-//); state; ls /etc/default/grub.d /boot /boot/efi/loader/entries ;; esac" ;;
    hang) echo "case \$stage in 1) $try; again ;; 2) say 'the root file system stops for ever'; sync; fsfreeze -f /; say 'frozen'; echo x >/root/x & sleep 100000 ;; 3) run mpsec kernel verify ;; esac" ;;
    *) echo "there is no run '$1'" >&2; return 1 ;;
  esac
}

boot() { # run
  local image=$work/$1.img
  cp --sparse=always "$([ "$1" = installed ] && echo "$disk" || echo "$work/installed.img")" "$image"; attach "$image"
  stages "$1" >"$mount/root/proof/run"
  if [ "$1" = panic ]; then
    # Only the new kernel panics, before its root file system is there.
    # shellcheck disable=SC2016  # what is written expands there
    printf '#!/bin/sh\n[ "$1" = prereqs ] && exit 0\ncase "$(uname -r)" in 6.12*) echo "PROOF - the new kernel panics now" >/dev/console; echo c >/proc/sysrq-trigger ;; esac\n' >"$mount/etc/initramfs-tools/scripts/init-top/proof"
    chmod 755 "$mount/etc/initramfs-tools/scripts/init-top/proof"
    mount -t proc proc "$mount/proc"
    [ "$loader" = grub ] || mount "${loop}p1" "$mount/boot/efi"
    # shellcheck disable=SC2016  # expanded by the inner shell
    chroot "$mount" sh -c 'update-initramfs -u -k "$(ls /lib/modules | grep ^6.12)"'
  fi
  clean
  if [ "$loader" != grub ]; then
    # What the firmware remembers goes with the disk.
    cp "$([ "$1" = installed ] && echo /usr/share/OVMF/OVMF_VARS.fd || echo "$work/installed.vars")" "$work/$1.vars"
    firmware=(-drive "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd" -drive "if=pflash,format=raw,file=$work/$1.vars")
  fi
  echo "== $1: $(date -u +%T)"
  nice -n 10 timeout -k 5 "$limit" qemu-system-x86_64 -accel tcg,thread=multi -machine q35 -cpu max -smp 2 -m 1536 -nographic -nic none "${firmware[@]}" \
    -drive "file=$image,if=virtio,format=raw" </dev/null >"$work/$1.console" 2>&1 || echo "$1: ended by its time limit" >&2
  tr -d '\r' <"$work/$1.console" | grep -a -o 'PROOF .*\|Kernel panic.*\|blocked for more than.*\|Rebooting in.*\|end Kernel panic.*' >"$work/$1.transcript" || true
  cat "$work/$1.transcript"; [ "$1" = installed ] || rm -f "$image" "$work/$1.vars"
}

prepare_root
if ! { [ -f "$disk" ] && [ "${KEEP_DISK:-}" = 1 ]; }; then make_disk; fi
for run in "$@"; do boot "$run"; done
