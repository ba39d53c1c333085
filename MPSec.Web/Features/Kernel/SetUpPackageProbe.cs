using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>Tells whether a package is there, by what it brings and not by the package database: programs built by hand count too.</summary>
/// <param name="commands">Finds programs.</param>
/// <param name="root">Folder that stands for <c>/</c>; another one in tests.</param>
public sealed class SetUpPackageProbe(ICommandRunner commands, string root = "/")
{
    /// <summary>Whether any of the package's proofs is there.</summary>
    public bool IsThere(SetUpPackage package)
    {
        ArgumentNullException.ThrowIfNull(package);
        return package.Proofs.Any(proof => proof.Contains('/', StringComparison.Ordinal) ? Matches(proof) : commands.Find(proof) is not null);
    }

    private bool Matches(string pattern)
    {
        IEnumerable<string> found = [root];
        foreach (var part in pattern.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            found = part.Contains('*', StringComparison.Ordinal)
                ? found.Where(Directory.Exists).SelectMany(folder => Directory.EnumerateFileSystemEntries(folder, part))
                : found.Select(folder => Path.Combine(folder, part));
        }

        return found.Any(Path.Exists);
    }
}
