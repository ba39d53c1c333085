using System.Text.Json;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>
/// The folder of one source: what was asked for, what is there of it, and what was found out. Every piece gets its name when it is whole, so after an interruption at
/// any moment the names tell what is left to do.
/// </summary>
internal sealed class KernelSourceFolder : IDisposable
{
    /// <summary>Mode of every folder: the owner's alone, since what was checked must stay what it is.</summary>
    public const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private const string MarkName = "MPSEC_SOURCE_FOLDER";

    private readonly string _root;
    private readonly FileStream _lock;

    private KernelSourceFolder(string root, FileStream held) => (_root, _lock) = (root, held);

    /// <summary>Home of programs that want one.</summary>
    public string Home => Made("home");

    /// <summary>What is being fetched.</summary>
    public string Download => Made("download");

    /// <summary>What is being checked.</summary>
    public string Check => Path.Combine(_root, "check");

    /// <summary>What was in a package; there when it is whole.</summary>
    public string Unpacked => Path.Combine(_root, "deb");

    /// <summary>A repository that is being fetched.</summary>
    public string Repository => Path.Combine(_root, "repository");

    /// <summary>The checked archive; there when <see cref="ReadFound"/> tells who vouches for it.</summary>
    public string Checked => Path.Combine(_root, "checked.tar");

    /// <summary>The unpacked source; there when it is whole.</summary>
    public string Tree => Path.Combine(_root, "tree");

    /// <summary>The keys to trust.</summary>
    public string Keys => Path.Combine(_root, "keys.gpg");

    /// <summary>Stands in the environment of every program that works here.</summary>
    public string Mark => $"{MarkName}={_root}";

    private string Request => Path.Combine(_root, "request.json");

    private string Found => Path.Combine(_root, "source.json");

    /// <summary>Opens the folder; what another request left is removed.</summary>
    /// <param name="root">The folder.</param>
    /// <param name="wanted">All that tells one request from another.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">Somebody works in it, or it holds files of somebody else.</exception>
    public static async Task<KernelSourceFolder> OpenAsync(string root, string wanted, CancellationToken cancellationToken)
    {
        root = Path.GetFullPath(root);
        if (Directory.Exists(root) && !File.Exists(Path.Combine(root, "request.json")) && Directory.EnumerateFileSystemEntries(root).Any(e => Path.GetFileName(e) is not ("lock" or "request.json.new")))
        {
            throw new IOException($"{root} holds other files; name an empty folder, or one that does not exist yet");
        }

        Directory.CreateDirectory(root, OwnerOnly);
        File.SetUnixFileMode(root, OwnerOnly);
        FileStream held;
        try
        {
            held = new(Path.Combine(root, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new IOException($"{root} is being worked in already; wait until that has ended", e);
        }

        var folder = new KernelSourceFolder(root, held);
        try
        {
            // Who was killed has left its tar or git behind, which would go on writing under the hands of this call.
            await ProcessSession.KillMarkedAsync(folder.Mark, cancellationToken);
            if (!File.Exists(folder.Request) || await File.ReadAllTextAsync(folder.Request, cancellationToken) != wanted)
            {
                await folder.ForgetAsync(cancellationToken);
                await WriteAsync(folder.Request, wanted, cancellationToken);
            }

            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Runs programs with <see cref="Mark"/>.</summary>
    public ICommandRunner Marked(ICommandRunner commands) => new MarkedCommands(commands, _root);

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();

    /// <summary>Removes what was fetched and what was made of it.</summary>
    public async Task ForgetAsync(CancellationToken cancellationToken)
    {
        File.Delete(Found);
        await RemoveAsync(Tree, cancellationToken);
        await CleanAsync(cancellationToken);
    }

    /// <summary>Removes everything but the tree and what is known of it.</summary>
    public async Task CleanAsync(CancellationToken cancellationToken)
    {
        foreach (var name in (string[])["tree.new", "download", "deb", "deb.new", "check", "repository", "home"])
        {
            await RemoveAsync(Path.Combine(_root, name), cancellationToken);
        }

        File.Delete(Checked);
        File.Delete(Keys);
    }

    /// <summary>An empty folder to check in.</summary>
    public async Task<string> EmptyCheckAsync(CancellationToken cancellationToken)
    {
        await RemoveAsync(Check, cancellationToken);
        Directory.CreateDirectory(Check, OwnerOnly);
        return Check;
    }

    /// <summary>What is known of the source; null until it was checked.</summary>
    public async Task<KernelSource?> ReadFoundAsync(CancellationToken cancellationToken) =>
        File.Exists(Found) ? JsonSerializer.Deserialize<KernelSource>(await File.ReadAllTextAsync(Found, cancellationToken)) : null;

    /// <summary>Keeps what is known of the source.</summary>
    public Task WriteFoundAsync(KernelSource source, CancellationToken cancellationToken) => WriteAsync(Found, JsonSerializer.Serialize(source), cancellationToken);

    /// <summary>Removes a folder with everything in it.</summary>
    public static Task RemoveAsync(string folder, CancellationToken cancellationToken) =>
        Directory.Exists(folder) ? Task.Run(() => Directory.Delete(folder, recursive: true), cancellationToken) : Task.CompletedTask;

    private static async Task WriteAsync(string file, string text, CancellationToken cancellationToken)
    {
        await File.WriteAllTextAsync(file + ".new", text, cancellationToken);
        File.Move(file + ".new", file, overwrite: true);
    }

    private string Made(string name) => Directory.CreateDirectory(Path.Combine(_root, name), OwnerOnly).FullName;

    private sealed class MarkedCommands(ICommandRunner commands, string root) : ICommandRunner
    {
        public string? Find(string program) => commands.Find(program);

        public Task<CommandResult> RunAsync(CommandRequest request, CancellationToken cancellationToken) =>
            commands.RunAsync(request with { Environment = new Dictionary<string, string>(request.Environment ?? new Dictionary<string, string>()) { [MarkName] = root } }, cancellationToken);
    }
}
