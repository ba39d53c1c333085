namespace MPSec.Linux.Processes;

/// <summary>A long program as it is kept in a file until another process starts it: a name and an argument list, never a command line.</summary>
/// <param name="Program">Absolute path, or a bare name that is looked up in <see cref="CommandRunner.Folders"/>.</param>
/// <param name="Arguments">Arguments, each passed as it is.</param>
public sealed record ProgramCall(string Program, params IReadOnlyList<string> Arguments)
{
    /// <summary>Added to the small fixed environment (PATH, HOME=/root, LC_ALL=C.UTF-8); nothing else is inherited. No secrets: this is kept in a file.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Absolute path of the folder it starts in.</summary>
    public string WorkingFolder { get; init; } = "/";
}
