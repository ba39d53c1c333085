using System.Text.RegularExpressions;

namespace MPSec.Features.Kernel;

/// <summary>
/// Reads what make prints while a kernel is built: objects that are done, warnings, errors, and what an error means. Lines may come twice after an interruption; an
/// object counts once.
/// </summary>
public sealed partial class KernelBuildLog
{
    private const int KeptErrors = 5;

    private static readonly (Regex Sign, string Sentence)[] s_known =
    [
        (NoSpace(), "the disk is full; make room, then run the job again: what is compiled already is found in the cache"),
        (Killed(), "the kernel of this machine killed the compiler, because memory ran out; choose fewer compilers at once, or add memory"),
        (NoTool(), "a program that the build needs is missing; set up the packages of the group kernel"),
        (NoCertificate(), "the configuration names keys of the distribution that are not in this source; the profiles leave them out, so look into your own fragment"),
        (NoBtf(), "the types of the kernel (BTF) could not be made; install dwarves, or leave DEBUG_INFO_BTF out"),
        (NoHeader(), "a header is missing; set up the packages of the group kernel"),
        (NoRule(), "the source lacks a file that it needs: it is not complete, or the configuration does not belong to it"),
        (Syntax(), "this compiler does not take this source; an older kernel may need an older compiler"),
    ];

    private readonly HashSet<string> _objects = new(StringComparer.Ordinal);
    private readonly List<string> _errors = [];
    private string? _explanation;

    /// <summary>Objects compiled so far.</summary>
    public int Done => _objects.Count;

    /// <summary>Lines that warn.</summary>
    public int Warnings { get; private set; }

    /// <summary>Lines that tell an error.</summary>
    public int ErrorCount { get; private set; }

    /// <summary>The first errors, as they were printed.</summary>
    public IReadOnlyList<string> Errors => _errors;

    /// <summary>The object that was begun last.</summary>
    public string? Current { get; private set; }

    /// <summary>Takes the next line.</summary>
    public void Take(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        if (Object(line) is { } name)
        {
            _objects.Add(name);
            Current = name;
            return;
        }

        foreach (var (sign, sentence) in s_known)
        {
            if (_explanation is null && sign.IsMatch(line))
            {
                _explanation = sentence;
            }
        }

        if (Warning().IsMatch(line))
        {
            Warnings++;
        }
        else if (Error().IsMatch(line))
        {
            ErrorCount++;
            if (_errors.Count < KeptErrors)
            {
                _errors.Add(line.Trim());
            }
        }
    }

    /// <summary>Why the build failed, in one sentence.</summary>
    /// <param name="what">What was run, for example <c>make all</c>.</param>
    /// <param name="exitCode">How it ended.</param>
    public string Explain(string what, int exitCode) => _explanation is { } known
        ? $"{what} failed: {known} ({_errors.FirstOrDefault() ?? $"exit code {exitCode}"})"
        : _errors.Count > 0 ? $"{what} failed: {_errors[0]}" : $"{what} failed with exit code {exitCode}; its last lines in the log say why";

    /// <summary>The object that a line of make tells (<c>  CC [M]  net/mptcp/mptcp_diag.o</c>); null for every other line.</summary>
    public static string? Object(string line) => Compiles().Match(line) is { Success: true } found ? found.Groups[1].Value : null;

    /// <summary>The object that a line of <c>make -n</c> would tell; null for every other line.</summary>
    public static string? Planned(string line) => Plans().Match(line) is { Success: true } found ? found.Groups[1].Value : null;

    /// <summary>Whether a line tells an error.</summary>
    public static bool IsError(string line) => Error().IsMatch(line);

    /// <summary>Whether a line warns.</summary>
    public static bool IsWarning(string line) => Warning().IsMatch(line);

    [GeneratedRegex(@"^  (?:CC|AS) (?:\[M\])? +(\S+)$")]
    private static partial Regex Compiles();

    [GeneratedRegex(@"echo '  (?:CC|AS) (?:\[M\])? +([^ ']+)'")]
    private static partial Regex Plans();

    [GeneratedRegex(@"(?:^|[:\s])[Ww]arning: ")]
    private static partial Regex Warning();

    [GeneratedRegex(@"(?:^|[:\s])(?:fatal )?[Ee]rror: |^make(?:\[\d+\])?: \*\*\* |^dpkg-buildpackage: error|: not found$|^make(?:\[\d+\])?: [A-Za-z0-9_.+-]+: No such file or directory$|No space left on device")]
    private static partial Regex Error();

    [GeneratedRegex("No space left on device")]
    private static partial Regex NoSpace();

    [GeneratedRegex("Killed signal terminated program|[Oo]ut of memory|virtual memory exhausted|Cannot allocate memory|: Killed$")]
    private static partial Regex Killed();

    [GeneratedRegex(@"/bin/sh: \d+: [A-Za-z0-9_.+-]+: not found|^make(?:\[\d+\])?: [A-Za-z0-9_.+-]+: No such file or directory$|pahole \(pahole\) is not available")]
    private static partial Regex NoTool();

    [GeneratedRegex(@"No rule to make target '[^']*\.pem'")]
    private static partial Regex NoCertificate();

    [GeneratedRegex("BTF: .*(?:not available|[Ff]ailed)|Failed to generate BTF")]
    private static partial Regex NoBtf();

    [GeneratedRegex(@"fatal error: [^ ]+\.h: No such file")]
    private static partial Regex NoHeader();

    [GeneratedRegex("No rule to make target ")]
    private static partial Regex NoRule();

    [GeneratedRegex(@"\.[chS]:\d+:\d+: error: ")]
    private static partial Regex Syntax();
}
