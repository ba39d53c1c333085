using System.Buffers.Binary;
using System.Text;
using MPSec.Linux.Netlink;
using MPSec.Linux.Procfs;

namespace MPSec.Tests.Linux.Procfs;

public sealed class MachineTextTests
{
    private const string Stat = "cpu  10 1 5 80 2 1 1 3 4 0\ncpu0 5 1 2 40 1 1 0 1 0 0\ncpu3 5 0 3 40 1 0 1 2 4 0\nintr 99\nbtime 1700000000\nprocs_running 2\n";
    private const string Memory = "MemTotal:  1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\nBuffers: 10 kB\nCached: 190 kB\nSwapTotal: 50 kB\nSwapFree: 20 kB\nHugePages_Total: 0\n";
    private const string Mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n30 22 254:0 / /run/netns rw - ext4 /dev/vda rw\n31 22 0:5 / /proc rw - proc proc rw\n"
        + "32 22 8:1 / /with\\040space rw master:1 - xfs /dev/sda1 rw\n33 22 0:44 / /far rw - nfs4 server:/x rw\n34 22 7:1 / /snap rw - squashfs /dev/loop1 ro\n";
    private const string Process = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 250 50 6 7 20 0 9 0 1234 1000000 25 18446744073709551615 1 1\n";

    [Fact]
    public void Stat_OfTwoProcessors_AddsUp()
    {
        var (all, each, booted) = MachineText.Stat(Stat);
        Assert.Equal(new CpuTimes(-1, 11, 5, 80, 2, 2, 3), all);
        Assert.Equal([0, 3], each.Select(c => c.Number));
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1700000000), booted);
    }

    [Fact]
    public void Memory_InKilobytes_IsBytes() => Assert.Equal(new MemoryReading(1000 * 1024, 400 * 1024, 100 * 1024, 200 * 1024, 50 * 1024, 20 * 1024), MachineText.Memory(Memory));

    [Fact]
    public void Mounts_OfEveryKind_KeepLocalDisksOnce() => Assert.Equal([new("/", "/dev/vda", "ext4"), new("/with space", "/dev/sda1", "xfs")], MachineText.Mounts(Mounts));

    [Fact]
    public void Process_NameWithBrackets_IsWhole()
    {
        var p = MachineText.Process(Process, 4096);
        Assert.Equal((42, "a) b (c)", 'S', 300UL, 9, 1234UL, 25UL * 4096), (p.Pid, p.Name, p.State, p.Ticks, p.Threads, p.StartTicks, p.ResidentBytes));
    }

    [Fact]
    public void Disks_OnlyWholeOnes_CountSectorsOf512()
    {
        var text = " 8 0 sda 10 0 100 5 20 0 200 7 0 33 44\n 8 1 sda1 1 0 1 1 1 1 1 1 1 1 1\n 7 0 loop0 cut\n";
        Assert.Equal([new("sda", 51200, 102400, 33)], MachineText.Disks(text, new HashSet<string> { "sda" }));
    }

    [Fact]
    public void SmallFiles_AsTheKernelWritesThem_AreDecoded()
    {
        Assert.Equal(new LoadReading(1.5, 0.25, 0, 2, 345), MachineText.Load("1.50 0.25 0.00 2/345 6789\n"));
        Assert.Equal(new PressureReading("io", 1.25, 0.5), MachineText.Pressure("io", "some avg10=1.25 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=1\n"));
        Assert.Equal(new PressureReading("cpu", 2, null), MachineText.Pressure("cpu", "some avg10=2.00 avg60=0.00 avg300=0.00 total=1\n"));
        Assert.Equal(TimeSpan.FromSeconds(12.5), MachineText.Uptime("12.50 3.00\n"));
        Assert.Equal(1000u, MachineText.Uid("Name:\tx\nUid:\t0\t1000\t0\t0\n"));
        Assert.Equal("Debian GNU/Linux 12", MachineText.Value("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n", "PRETTY_NAME"));
        Assert.Equal("root", MachineText.Users("root:x:0:0::/:/bin/sh\nbad line\ntoor:x:0:0::/:/bin/sh\n")[0]);
    }

    [Fact]
    public void Session_OfAPerson_IsTold()
    {
        Assert.Equal(
            new SessionReading("mina", "pts/0", "192.0.2.9", DateTimeOffset.FromUnixTimeSeconds(1700000000)),
            MachineText.Session("UID=1000\nUSER=mina\nSTATE=active\nCLASS=user\nTTY=pts/0\nREMOTE_HOST=192.0.2.9\nREALTIME=1700000000123456\n"));
        Assert.Null(MachineText.Session("USER=mina\nCLASS=manager\nSTATE=active\n"));
        Assert.Null(MachineText.Session("USER=mina\nCLASS=user\nSTATE=closing\n"));
        Assert.Null(MachineText.Session(""));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Utmp_WithPeopleAndOthers_TellsPeople(bool wide)
    {
        var size = wide ? 400 : 384;
        var file = new byte[(size * 2) + 100]; // the last record is cut off
        Record(file, 2, "reboot", "~", "", 1, wide);
        Record(file.AsSpan(size), 7, "mina", "tty1", "host.example", 1700000000, wide);
        Assert.Equal([new SessionReading("mina", "tty1", "host.example", DateTimeOffset.FromUnixTimeSeconds(1700000000))], UtmpFile.Decode(file, wide));
        for (var length = 0; length < file.Length; length += 7)
        {
            Assert.True(UtmpFile.Decode(file.AsSpan(0, length), wide).Length <= 1);
        }

        static void Record(Span<byte> at, short kind, string user, string line, string host, long seconds, bool wide)
        {
            BinaryPrimitives.WriteInt16LittleEndian(at, kind);
            Encoding.ASCII.GetBytes(line, at[8..]);
            Encoding.ASCII.GetBytes(user, at[44..]);
            Encoding.ASCII.GetBytes(host, at[76..]);
            if (wide)
            {
                BinaryPrimitives.WriteInt64LittleEndian(at[344..], seconds);
            }
            else
            {
                BinaryPrimitives.WriteInt32LittleEndian(at[340..], (int)seconds);
            }
        }
    }

    /// <summary>Cut off anywhere and with any byte changed, a text is decoded or refused, and never anything else happens.</summary>
    [Fact]
    public void Texts_CutOffOrAltered_AreRefusedAsFormat()
    {
        var random = new Random(7);
        foreach (var (text, decode) in new (string, Action<string>)[]
        {
            (Stat, t => MachineText.Stat(t)), (Memory, t => MachineText.Memory(t)), (Mounts, t => MachineText.Mounts(t)), (Process, t => MachineText.Process(t, 4096)),
            ("1.50 0.25 0.00 2/345 6789\n", t => MachineText.Load(t)), ("some avg10=1.25 avg60=0.00 total=1\n", t => MachineText.Pressure("io", t)), ("12.5 3\n", t => MachineText.Uptime(t)),
            (" 8 0 sda 10 0 100 5 20 0 200 7 0 33 44\n", t => MachineText.Disks(t, new HashSet<string> { "sda" })), ("USER=a\nREALTIME=99999999999999999999\n", t => MachineText.Session(t)),
            ("Uid:\t0\t1000\n", t => MachineText.Uid(t)), ("root:x:0:0\n", t => MachineText.Users(t)),
        })
        {
            for (var length = 0; length <= text.Length; length++)
            {
                Try(text[..length], decode);
            }

            for (var i = 0; i < 2000; i++)
            {
                var letters = text.ToCharArray();
                for (var j = random.Next(1, 4); j > 0; j--)
                {
                    letters[random.Next(letters.Length)] = (char)random.Next(0, 0x180);
                }

                Try(new string(letters), decode);
            }
        }

        static void Try(string text, Action<string> decode)
        {
            try
            {
                decode(text);
            }
            catch (Exception e) when (e is FormatException or OverflowException)
            {
                // Refused.
            }
        }
    }

    [Fact]
    public void LinkMode_RecordedCutOffAndAltered_IsDecodedOrRefused()
    {
        // eth0 (index 2): 1000 Mbit/s, full duplex, as ETHTOOL_MSG_LINKMODES_GET_REPLY.
        byte[] message =
        [
            4, 1, 0, 0,
            24, 0, 1, 0x80, 8, 0, 1, 0, 2, 0, 0, 0, 9, 0, 2, 0, (byte)'e', (byte)'t', (byte)'h', (byte)'0', 0, 0, 0, 0,
            8, 0, 5, 0, 0xe8, 3, 0, 0, 5, 0, 6, 0, 1, 0, 0, 0,
        ];
        Assert.Equal(new LinkMode(2, 1000, "full"), EthtoolReader.DecodeMode(message));
        message.AsSpan(32, 4).Fill(0xff); // SPEED_UNKNOWN
        message[40] = 0xff; // DUPLEX_UNKNOWN
        Assert.Equal(new LinkMode(2, null, null), EthtoolReader.DecodeMode(message));
        var random = new Random(3);
        for (var i = 0; i < 5000; i++)
        {
            var bytes = message[..random.Next(message.Length + 1)];
            if (bytes.Length > 0)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            try
            {
                EthtoolReader.DecodeMode(bytes);
            }
            catch (NetlinkFormatException)
            {
                // Refused.
            }
        }
    }
}
