using System.Text.Json;
using MPSec.Data;

namespace MPSec.Features.Kernel;

/// <summary>The kernels that were built here: a folder each, with packages, configuration, proof and provenance. A kernel is there whole or not at all.</summary>
public sealed class KernelBuildStore(StateFolder folder)
{
    private const string Provenance = "provenance.json";
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>Whether the kernel of a run is kept.</summary>
    public bool IsKept(long run) => File.Exists(Path.Combine(folder.KernelResult(run), Provenance));

    /// <summary>All that are kept, the newest first.</summary>
    public IReadOnlyList<KernelProvenance> All() => !Directory.Exists(folder.KernelsFolder) ? []
        : [.. Directory.GetDirectories(folder.KernelsFolder).Select(d => Read<KernelProvenance>(Path.Combine(d, Provenance))).OfType<KernelProvenance>().OrderByDescending(k => k.Run)];

    /// <summary>The kernel of a run; null when there is none.</summary>
    public KernelProvenance? Find(long run) => Read<KernelProvenance>(Path.Combine(folder.KernelResult(run), Provenance));

    /// <summary>Absolute path of one of its files; null when it is none of them.</summary>
    public string? PathOf(long run, string name) => Find(run)?.Files.Any(f => f.Name == name) == true ? Path.Combine(folder.KernelResult(run), name) : null;

    /// <summary>Keeps a kernel: its files are moved out of <paramref name="work"/> into a new folder, which takes its name when all is in it.</summary>
    /// <exception cref="IOException">The disk is full or cannot be written.</exception>
    public async Task KeepAsync(KernelProvenance kernel, string work, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        var fresh = folder.KernelResult(kernel.Run) + ".new";
        if (Directory.Exists(fresh))
        {
            Directory.Delete(fresh, recursive: true); // of an attempt that was killed here: its files were copies
        }

        Directory.CreateDirectory(fresh, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var file in kernel.Files)
        {
            File.Copy(Path.Combine(work, file.Name), Path.Combine(fresh, file.Name));
        }

        await File.WriteAllTextAsync(Path.Combine(fresh, Provenance), JsonSerializer.Serialize(kernel, s_json), cancellationToken);
        Directory.Move(fresh, folder.KernelResult(kernel.Run));
    }

    /// <summary>Removes a kernel that was built; what is installed stays.</summary>
    public void Remove(long run)
    {
        if (Directory.Exists(folder.KernelResult(run)))
        {
            Directory.Delete(folder.KernelResult(run), recursive: true);
        }
    }

    /// <summary>The result of <c>mpsec kernel prove --report</c>; null when there is none.</summary>
    public static KernelProof? ReadProof(string path) => Read<KernelProof>(path);

    private static TValue? Read<TValue>(string path)
        where TValue : class
    {
        try
        {
            return JsonSerializer.Deserialize<TValue>(File.ReadAllText(path), s_json);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null; // not there, or not written by this program
        }
    }
}
