using System.Net.Sockets;
using MPSec.Linux.Procfs;
using MPSec.Tests.Data;

namespace MPSec.Tests.Linux.Procfs;

public sealed class SocketOwnersTests : IDisposable
{
    private readonly TempState _state = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _state.Dispose();

    [Fact]
    public void Find_SocketOfTwoPrograms_NamesBothAndNoOther()
    {
        Program(30, "nginx", "socket:[77]", "/dev/null");
        Program(4, "curl", "pipe:[77]", "socket:[77]");
        Program(5, "other", "socket:[777]");
        Directory.CreateDirectory(Path.Combine(_state.Root, "6")); // ended in the meantime
        Directory.CreateDirectory(Path.Combine(_state.Root, "sys"));

        Assert.Equal([new(4, "curl"), new(30, "nginx")], new SocketOwners(_state.Root).Find(77, Token).Owners);
        Assert.Empty(new SocketOwners(_state.Root).Find(78, Token).Owners);
        Assert.Empty(new SocketOwners(_state.Root).Find(0, Token).Owners);
    }

    [Fact]
    public void Find_OwnSocket_IsThisProcess()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var link = new FileInfo($"/proc/self/fd/{socket.Handle}").LinkTarget!;
        var inode = uint.Parse(link["socket:[".Length..^1], System.Globalization.CultureInfo.InvariantCulture);

        Assert.Contains(new SocketOwners().Find(inode, Token).Owners, o => o.Pid == Environment.ProcessId);
    }

    private void Program(int pid, string name, params string[] files)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_state.Root, $"{pid}", "fd")).FullName;
        File.WriteAllText(Path.Combine(_state.Root, $"{pid}", "comm"), name + "\n");
        for (var i = 0; i < files.Length; i++)
        {
            File.CreateSymbolicLink(Path.Combine(folder, $"{i}"), files[i]);
        }
    }
}
