using System.Formats.Tar;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Features.Kernel;
using MPSec.Linux.Processes;
using MPSec.Tests.Data;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Features.Kernel;

/// <summary>A fetcher with an audit log and a folder of its own.</summary>
internal sealed class KernelSourceScope : IAsyncDisposable
{
    private readonly TempState _state = new();
    private ServiceProvider? _services;

    public string Root => _state.Root;

    /// <summary>Where the source is put.</summary>
    public string Into => Path.Combine(Root, "source");

    public string Tree => Path.Combine(Into, "tree");

    public List<string> Log { get; } = [];

    /// <summary>Programs that ran, by name.</summary>
    public CountingCommands Commands { get; } = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async Task<KernelSource> FetchAsync(KernelSourceRequest request, long? largest = null, CancellationToken? cancellationToken = null)
    {
        _services ??= await _state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddSingleton<AuditLog>());
        return await new KernelSourceFetcher(Commands, _services.GetRequiredService<AuditLog>(), TimeProvider.System) { Loopback = true, LargestTar = largest ?? 1 << 22 }
            .FetchAsync(request, Into, "mina", Log.Add, (_, _) => { }, cancellationToken ?? Token);
    }

    /// <summary>Is refused, and leaves nothing that could be taken for a source.</summary>
    public async Task<string> RefuseAsync(KernelSourceVerdict verdict, KernelSourceRequest request, long? largest = null)
    {
        var e = await Assert.ThrowsAsync<KernelSourceRefusedException>(() => FetchAsync(request, largest));
        Assert.True(verdict == e.Verdict, $"{e.Verdict}: {e.Message}");
        Assert.Equal(["lock", "request.json"], Directory.GetFileSystemEntries(Into).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.DoesNotContain("tar", Commands.Ran);
        return e.Message;
    }

    public async Task<IReadOnlyList<AuditEntry>> AuditAsync() => await _services!.GetRequiredService<AuditLog>().RecentAsync(10, Token);

    /// <summary>Only what is to be kept is kept.</summary>
    public void AssertTidy() => Assert.Equal(["lock", "request.json", "source.json", "tree"], Directory.GetFileSystemEntries(Into).Select(Path.GetFileName).Order(StringComparer.Ordinal));

    /// <summary>A tar of a small source; returns its path.</summary>
    public string Tar(string name, string folder, string version = "6.1.9", (string Name, string Target)[]? links = null, string further = "")
    {
        Directory.CreateDirectory(Root);
        var file = Path.Combine(Root, name);
        using var writer = new TarWriter(File.Create(file));
        writer.WriteEntry(new PaxTarEntry(TarEntryType.Directory, folder));
        writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, folder + "Makefile") { DataStream = new MemoryStream(Encoding.ASCII.GetBytes(Makefile(version) + further)) });
        foreach (var (link, target) in links ?? [])
        {
            writer.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, folder + link) { LinkName = target });
        }

        return file;
    }

    public static string Makefile(string version) => version.Split('.') is [var a, var b, var c] ? $"VERSION = {a}\nPATCHLEVEL = {b}\nSUBLEVEL = {c}\nEXTRAVERSION =\n" : throw new ArgumentException(version);

    public static void Xz(string tar) => NamespaceScope.Run("xz", "--force", "--keep", tar);

    public async ValueTask DisposeAsync()
    {
        await (_services?.DisposeAsync() ?? ValueTask.CompletedTask);
        _state.Dispose();
    }
}

/// <summary>The real programs, with a memory of which ran; some can be replaced.</summary>
internal sealed class CountingCommands : ICommandRunner
{
    private readonly CommandRunner _real = new(TimeProvider.System);

    public List<string> Ran { get; } = [];

    public Func<CommandRequest, CommandResult?> Instead { get; set; } = _ => null;

    public Func<string, bool> Has { get; set; } = _ => true;

    public Task<CommandResult> RunAsync(CommandRequest request, CancellationToken cancellationToken)
    {
        Ran.Add(request.Program);
        return Instead(request) is { } result ? Task.FromResult(result) : _real.RunAsync(request, cancellationToken);
    }

    public string? Find(string program) => Has(program) ? _real.Find(program) ?? "/fake/" + program : null;
}
