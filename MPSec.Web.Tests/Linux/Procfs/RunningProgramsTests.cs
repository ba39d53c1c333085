using MPSec.Linux.Procfs;
using MPSec.Tests.Data;

namespace MPSec.Tests.Linux.Procfs;

public sealed class RunningProgramsTests : IDisposable
{
    private static readonly string[] s_owners = ["NetworkManager", "mptcpd"];
    private readonly TempState _state = new();

    public void Dispose() => _state.Dispose();

    [Fact]
    public void Find_ProgramsOfTwoNamespaces_CountsThoseOfTheGateway()
    {
        Program(12, "NetworkManager", "net:[4026531833]");
        Program(13, "NetworkManager", "net:[4026531833]");
        Program(14, "mptcpd", "net:[4026532999]");
        Program(15, "bash", "net:[4026531833]");
        Directory.CreateDirectory(Path.Combine(_state.Root, "sys"));
        Directory.CreateDirectory(Path.Combine(_state.Root, "16")); // ended in the meantime

        Assert.Equal(["NetworkManager"], RunningPrograms.Find(s_owners, "net:[4026531833]", _state.Root));
        Assert.Equal(["mptcpd"], RunningPrograms.Find(s_owners, "net:[4026532999]", _state.Root));
        Assert.Equal(s_owners, RunningPrograms.Find(s_owners, null, _state.Root));
    }

    [Fact]
    public void Find_NamespaceThatMayNotBeRead_CountsTheProgram()
    {
        Program(12, "mptcpd", null);

        Assert.Equal(["mptcpd"], RunningPrograms.Find(s_owners, "net:[1]", _state.Root));
    }

    [Fact]
    public void NetworkOfThisThread_OnLinux_NamesANamespace() => Assert.StartsWith("net:[", RunningPrograms.NetworkOfThisThread());

    private void Program(int pid, string name, string? network)
    {
        var folder = Path.Combine(_state.Root, $"{pid}");
        Directory.CreateDirectory(Path.Combine(folder, "ns"));
        File.WriteAllText(Path.Combine(folder, "comm"), name + "\n");
        if (network is not null)
        {
            File.CreateSymbolicLink(Path.Combine(folder, "ns", "net"), network);
        }
    }
}
