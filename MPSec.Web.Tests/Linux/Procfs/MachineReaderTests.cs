using System.Globalization;
using MPSec.Linux.Procfs;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Linux.Procfs;

/// <summary>The real machine, compared with what its own programs say.</summary>
public sealed class MachineReaderTests
{
    [Fact]
    public void Read_ThisMachine_AgreesWithItsPrograms()
    {
        var before = Environment.WorkingSet;
        var reading = new MachineReader().Read();
        var after = Environment.WorkingSet;
        Assert.Empty(reading.Faults);
        Assert.Equal(File.ReadAllLines("/proc/stat").Count(l => l.StartsWith("cpu", StringComparison.Ordinal)) - 1, reading.Processors.Length);
        Assert.Equal(reading.Processors.Sum(p => (double)p.User), (double)reading.Cpu!.User, reading.Cpu.User * 0.01 + 100);
        Assert.Equal(NamespaceScope.Run("uname", "-r").Trim(), reading.Identity.Kernel);
        Assert.Equal(NamespaceScope.Run("uname", "-n").Trim(), reading.Identity.HostName);
        Assert.Equal(double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], CultureInfo.InvariantCulture), reading.Uptime!.Value.TotalSeconds, 60.0);

        var free = NamespaceScope.Run("free", "-b").Split('\n')[1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(ulong.Parse(free[1], CultureInfo.InvariantCulture), reading.Memory!.Total);

        foreach (var line in NamespaceScope.Run("df", "-B1", "--output=target,size,used,avail", "/").Split('\n')[1..2])
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            var root = Assert.Single(reading.FileSystems, f => f.MountPoint == words[0]);
            Assert.Equal(ulong.Parse(words[1], CultureInfo.InvariantCulture), root.Size);
            Assert.InRange(root.Used, 1UL, root.Size);
            Assert.Equal(double.Parse(words[2], CultureInfo.InvariantCulture), root.Used, root.Size * 0.02);
            Assert.Equal(double.Parse(words[3], CultureInfo.InvariantCulture), root.Available, root.Size * 0.02);
        }

        var own = Assert.Single(reading.Processes, p => p.Pid == Environment.ProcessId);
        Assert.InRange((double)own.ResidentBytes, Math.Min(before, after) * 0.5, Math.Max(before, after) * 1.5);
        Assert.True(reading.Processes.Count(p => p.Uid is not null) >= Math.Min(20, reading.Processes.Length) - 5);
        Assert.All(reading.Processes.Where(p => p.Uid == 0), p => Assert.Equal("root", p.User));
    }

    [Fact]
    public void Read_MadeMachine_FindsSensorsSessionsAndNamesWhatIsBroken()
    {
        var root = Directory.CreateTempSubdirectory("mpsec-machine-").FullName;
        try
        {
            void Write(string path, string text)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(root, path))!);
                File.WriteAllText(Path.Combine(root, path), text);
            }

            Write("proc/stat", "cpu 1 2\n");
            Write("proc/loadavg", "0.5 0.5 0.5 1/2 3\n");
            Write("proc/7/stat", "7 (cut");
            Write("proc/8/stat", "8 (ok) R 1 8 8 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 5 0 3 0\n");
            Write("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
            Write("sys/class/thermal/thermal_zone0/temp", "45500\n");
            Write("sys/class/hwmon/hwmon1/name", "nvme\n");
            Write("sys/class/hwmon/hwmon1/temp1_input", "38850\n");
            Write("sys/class/hwmon/hwmon1/temp1_label", "Composite\n");
            Write("sys/class/hwmon/hwmon1/temp2_input", "not a number\n");
            Write("run/systemd/sessions/2", "USER=mina\nCLASS=user\nSTATE=active\n");
            Write("etc/os-release", "PRETTY_NAME=\"Made up 1\"\n");
            var reading = new MachineReader(root).Read();
            Assert.Null(reading.Cpu);
            Assert.Equal(["x86_pkg_temp 45.5", "nvme Composite 38.85"], reading.Temperatures.Select(t => string.Create(CultureInfo.InvariantCulture, $"{t.Name} {t.Celsius}")));
            Assert.Equal("mina", Assert.Single(reading.Sessions!.Value).User);
            Assert.Equal("Made up 1", reading.Identity.Distribution);
            Assert.Equal(8, Assert.Single(reading.Processes).Pid);
            Assert.Contains(reading.Faults, f => f.StartsWith("/proc/stat:", StringComparison.Ordinal));
            Assert.Contains(reading.Faults, f => f.StartsWith("/proc/meminfo:", StringComparison.Ordinal));
            Assert.Contains(reading.Faults, f => f.StartsWith("/proc/PID/stat", StringComparison.Ordinal));
            Assert.Null(new MachineReader(Path.Combine(root, "proc")).Read().Sessions);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }
}
