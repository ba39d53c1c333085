using System.Collections.Immutable;
using System.IO.Compression;
using System.Text;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>
/// Makes the small root in which a kernel is proved: a static busybox, the real iproute2, iperf3 and mptcpize with their libraries, the modules that the checks need,
/// and a first program that checks one thing after the other and says so on the console.
/// </summary>
public sealed class KernelProofImage(ICommandRunner commands)
{
    /// <summary>Begin of every line that tells a result: name, ok or fail, detail, parted by bars.</summary>
    public const string Mark = "MPSEC-PROOF|";

    // Programs, with the Debian package that brings each.
    private static readonly (string Program, string Package)[] s_programs = [("ip", "iproute2"), ("tc", "iproute2"), ("iperf3", "iperf3"), ("mptcpize", "mptcpize")];

    // With what the check of AES-GCM needs on kernels that have their ciphers as modules.
    private static readonly string[] s_modules =
    [
        "veth", "sch_tbf", "sch_netem", "inet_diag", "tcp_diag", "mptcp_diag", "tcp_bbr", "jitterentropy_rng", "sha512_generic", "drbg", "aes_generic", "aesni_intel", "ctr", "ghash-generic", "gcm",
        "seqiv", "echainiv", "xfrm_user", "esp4", "esp6",
    ];

    private const string Init = """
        #!/bin/busybox sh
        /bin/busybox mkdir -p /proc /sys /dev /run /tmp /var
        /bin/busybox --install -s /bin
        export PATH=/rbin:/bin
        mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run; mount -t tmpfs tmp /tmp
        mkdir -p /run/netns; ln -s /run /var/run
        # busybox has programs of these names of its own, which know nothing of what is tried here
        ip() { /rbin/ip "$@"; }
        tc() { /rbin/tc "$@"; }
        say() { echo "MPSEC-PROOF|$1|$2|$3"; }
        try() { name=$1; shift; if out=$("$@" 2>&1); then say "$name" ok "$(echo "$*" | head -c 120)"; else say "$name" fail "$(echo "$out" | head -n 1 | head -c 160)"; fi; }
        say boot ok "$(uname -r)"
        while read -r name files; do
          for file in $files; do insmod "/m/$file" 2>/tmp/said || grep -q 'File exists' /tmp/said || echo "module $file: $(head -n 1 /tmp/said)"; done
        done </modules
        if [ "$(cat /proc/sys/net/mptcp/enabled 2>/dev/null)" = 1 ]; then say mptcp ok 'net.mptcp.enabled = 1'; else say mptcp fail 'there is no net.mptcp.enabled, or it is 0'; fi
        for name in pm_type available_path_managers available_schedulers scheduler; do
          if [ -f /proc/sys/net/mptcp/$name ]; then say "setting net.mptcp.$name" ok "$(cat /proc/sys/net/mptcp/$name)"; fi
        done
        if [ -f /promised ]; then
          if [ -f /proc/config.gz ]; then zcat /proc/config.gz >/tmp/config; elif [ -f /config ]; then cp /config /tmp/config; else : >/tmp/config; fi
          all=0; good=0
          while read -r line; do
            all=$((all+1)); name=${line#\# }; name=${name%%[= ]*}
            case $line in
              '#'*) if grep -q "^$name=" /tmp/config; then say "option $name" fail 'is set and should not be'; else good=$((good+1)); fi ;;
              *) if grep -qxF "$line" /tmp/config || grep -qxF "${line%=m}=y" /tmp/config; then good=$((good+1)); else say "option $name" fail "should be ${line#*=} and is $(grep "^$name=" /tmp/config | cut -d= -f2 | head -n 1)"; fi ;;
            esac
          done </promised
          say options ok "$good of $all as promised"
        fi
        say 'congestion controls' ok "$(cat /proc/sys/net/ipv4/tcp_available_congestion_control)"
        ip link set lo up
        try limits ip mptcp limits set subflows 4 add_addr_accepted 4
        try endpoint ip mptcp endpoint add 127.0.0.77 subflow
        ip mptcp endpoint flush 2>/dev/null
        try rules ip rule add from 192.0.2.1 table 100
        try esp ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x100 mode tunnel aead 'rfc4106(gcm(aes))' 0x0102030405060708090a0b0c0d0e0f1011121314 128
        try netem tc qdisc add dev lo root netem delay 20ms
        ping -c 3 127.0.0.1 >/tmp/ping 2>&1
        say 'netem delay' ok "$(tail -n 1 /tmp/ping)"
        tc qdisc del dev lo root 2>/dev/null
        ip netns add c; ip netns add s
        try veth ip link add c1 netns c type veth peer name s1 netns s
        ip link add c2 netns c type veth peer name s2 netns s
        for n in 1 2; do
          ip -n c address add 10.0.$n.1/24 dev c$n; ip -n s address add 10.0.$n.2/24 dev s$n
          ip -n c link set c$n up; ip -n s link set s$n up
          ip -n c route add default via 10.0.$n.2 dev c$n table $n; ip -n c rule add from 10.0.$n.1 table $n
        done
        try tbf ip netns exec c tc qdisc add dev c1 root tbf rate 20mbit burst 32kb latency 50ms
        ip netns exec c tc qdisc add dev c2 root tbf rate 20mbit burst 32kb latency 50ms
        ip -n c link set lo up; ip -n s link set lo up
        ip -n s address add 10.9.9.9/32 dev lo; ip -n c route add default via 10.0.1.2
        for n in c s; do
          for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 | ip netns exec $n tee $f >/dev/null; done
          ip -n $n mptcp limits set subflows 4 add_addr_accepted 4
        done
        ip -n c mptcp endpoint add 10.0.2.1 dev c2 subflow
        ip netns exec s mptcpize run iperf3 -s >/dev/null 2>&1 &
        sleep 2
        say 'one path' ok "$(ip netns exec c iperf3 -c 10.9.9.9 -O 1 -t 5 -f m 2>&1 | grep -e receiver -e error | head -n 1)"
        say 'two paths' ok "$(ip netns exec c mptcpize run iperf3 -c 10.9.9.9 -O 2 -t 8 -f m 2>&1 | grep -e receiver -e error | head -n 1)"
        say joins ok "$(ip netns exec c awk '/^MPTcpExt:/ { if (!h) { split($0, n); h = 1 } else for (i = 2; i <= NF; i++) if (n[i] == "MPJoinSynAckRx") print $i }' /proc/net/netstat)"
        say end ok ''
        sleep 1
        reboot -f
        """;

    /// <summary>Packages of programs that are missing here, each named once; empty when the image can be made.</summary>
    public ImmutableArray<string> MissingPackages() =>
        [.. s_programs.Append(("busybox", "busybox-static")).Append(("modprobe", "kmod")).Where(p => commands.Find(p.Item1) is null).Select(p => p.Item2).Distinct()];

    /// <summary>Writes the image for <paramref name="kernel"/>.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="promised">Options that it must have been made with; null when nothing was promised.</param>
    /// <param name="file">The image; must not exist.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">A program or a module cannot be read, or busybox needs libraries.</exception>
    /// <exception cref="ProgramMissingException">A program is not installed.</exception>
    public async Task WriteAsync(KernelProofKernel kernel, KernelFragment? promised, string file, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        var to = new GZipStream(new FileStream(file, FileMode.CreateNew), CompressionLevel.Fastest);
        await using (to)
        {
            var archive = new CpioArchive(to);
            archive.AddFile("/init", Encoding.UTF8.GetBytes(Init.ReplaceLineEndings("\n") + "\n"), executable: true);
            archive.AddFile("/bin/busybox", await File.ReadAllBytesAsync(Find("busybox"), cancellationToken), executable: true);
            if ((await LibrariesAsync(Find("busybox"), cancellationToken)).Count > 0)
            {
                throw new IOException("busybox needs libraries here; install the package busybox-static");
            }

            archive.AddFolder("/etc");
            if (promised is not null)
            {
                archive.AddFile("/promised", Encoding.UTF8.GetBytes(promised.ToString()));
                archive.AddFile("/config", kernel.Config is { } config ? await File.ReadAllBytesAsync(config, cancellationToken) : []);
            }

            foreach (var (program, _) in s_programs)
            {
                var path = Find(program);
                archive.AddFile("/rbin/" + program, await File.ReadAllBytesAsync(path, cancellationToken), executable: true);
                foreach (var library in await LibrariesAsync(path, cancellationToken))
                {
                    archive.AddFile(library, await File.ReadAllBytesAsync(library, cancellationToken), executable: true);
                }
            }

            foreach (var wrap in Directory.GetDirectories("/usr/lib", "*-linux-gnu").Select(d => Path.Combine(d, "mptcpize")).Where(Directory.Exists).SelectMany(Directory.GetFiles))
            {
                archive.AddFile(wrap, await File.ReadAllBytesAsync(wrap, cancellationToken), executable: true);
            }

            await AddModulesAsync(archive, kernel, cancellationToken);
            archive.Close();
        }
    }

    private string Find(string program) => commands.Find(program) ?? throw new ProgramMissingException(program);

    // ldd(1): "libc.so.6 => /lib/…/libc.so.6 (0x…)", the loader without an arrow; a static program says so.
    private async Task<IReadOnlyList<string>> LibrariesAsync(string program, CancellationToken cancellationToken)
    {
        var said = await commands.RunAsync(new("ldd", program), cancellationToken);
        return [.. said.Output.Split('\n').Select(l => l.Trim().Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(w => w is [_, "=>", ['/', ..] path, ..] ? path : w is [['/', ..] loader, ['(', ..]] ? loader : null).OfType<string>()];
    }

    private async Task AddModulesAsync(CpioArchive archive, KernelProofKernel kernel, CancellationToken cancellationToken)
    {
        var list = new StringBuilder();
        foreach (var name in Directory.Exists(Path.Combine(kernel.Root, "lib/modules", kernel.Release)) ? s_modules : [])
        {
            var shown = await commands.RunAsync(new("modprobe", "-d", kernel.Root, "-S", kernel.Release, "--show-depends", "--", name), cancellationToken);
            var files = shown.Output.Split('\n').Where(l => l.StartsWith("insmod ", StringComparison.Ordinal)).Select(l => l.Split(' ')[1]).ToArray();
            if (files.Length == 0)
            {
                continue; // built in, or not there: the checks tell
            }

            list.Append(name);
            foreach (var path in files)
            {
                var plain = Path.GetFileNameWithoutExtension(path) is var stem && path.EndsWith(".ko", StringComparison.Ordinal) ? Path.GetFileName(path) : stem;
                archive.AddFile("/m/" + plain, await ModuleAsync(path, cancellationToken));
                list.Append(' ').Append(plain);
            }

            list.Append('\n');
        }

        archive.AddFile("/modules", Encoding.UTF8.GetBytes(list.ToString()));
    }

    // Not every kernel can unpack its modules itself.
    private async Task<byte[]> ModuleAsync(string path, CancellationToken cancellationToken)
    {
        var tool = Path.GetExtension(path) switch { ".xz" => "xz", ".zst" => "zstd", ".gz" => "gzip", _ => null };
        if (tool is null)
        {
            return await File.ReadAllBytesAsync(path, cancellationToken);
        }

        var folder = Directory.CreateTempSubdirectory("mpsec-module-").FullName;
        try
        {
            var copy = Path.Combine(folder, Path.GetFileName(path));
            File.Copy(path, copy);
            var unpacked = await commands.RunAsync(new(tool, "-d", "--", copy), cancellationToken);
            return unpacked.Succeeded ? await File.ReadAllBytesAsync(Path.ChangeExtension(copy, null), cancellationToken) : throw new IOException($"{path} could not be unpacked: {unpacked.Error.Trim()}");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
