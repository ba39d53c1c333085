using MPSec.Linux.Values;

namespace MPSec.Linux.Processes;

/// <summary>A program to run. There is no shell: each argument reaches the program as it is.</summary>
/// <param name="Program">A bare name, searched in the system's folders only, or an absolute path.</param>
/// <param name="Arguments">Its arguments. Close the options with <c>--</c> before operands that others chose, where the program knows that.</param>
public sealed record CommandRequest(string Program, params IReadOnlyList<string> Arguments)
{
    /// <summary>The network namespace the program runs in.</summary>
    public GatewayName Gateway { get; init; } = GatewayName.Host;

    /// <summary>Time after which the program and its children are killed.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long its output is still read after the program has ended: a background child that keeps the pipe open does not keep the caller. On a busy
    /// machine what was printed may be read late, so it is only short for a program that leaves such a child.
    /// </summary>
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Bytes kept of each output; what comes after is read and thrown away.</summary>
    public int OutputLimit { get; init; } = 1 << 20;

    /// <summary>Called for each line while the program runs, from one thread at a time per output. A very long line comes in pieces.</summary>
    public Action<CommandOutputLine>? OnLine { get; init; }

    /// <summary>
    /// Starts the program in a session of its own, so that a time-out reaches its children too. Without it one exec less is needed; only for programs
    /// that have no children.
    /// </summary>
    public bool OwnSession { get; init; } = true;

    /// <summary>Called with the program's process id when it is started. With <see cref="OwnSession"/> it leads its session and its process group.</summary>
    public Action<int>? OnStarted { get; init; }

    /// <summary>Additional environment; otherwise the program has only LC_ALL=C and PATH.</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }
}

/// <summary>One line that a program printed.</summary>
/// <param name="Text">Without its end.</param>
/// <param name="IsError">Printed on standard error.</param>
public readonly record struct CommandOutputLine(string Text, bool IsError);

/// <summary>How a program ended.</summary>
/// <param name="ExitCode">Its exit code; 128 + signal when a signal ended it.</param>
/// <param name="Output">Standard output, UTF-8, at most the limit.</param>
/// <param name="Error">Standard error, UTF-8, at most the limit.</param>
/// <param name="OutputTruncated">Standard output was longer.</param>
/// <param name="ErrorTruncated">Standard error was longer.</param>
/// <param name="TimedOut">It was killed because its time was up.</param>
public sealed record CommandResult(int ExitCode, string Output, string Error, bool OutputTruncated, bool ErrorTruncated, bool TimedOut)
{
    /// <summary>Exit code 0 in time.</summary>
    public bool Succeeded => ExitCode == 0 && !TimedOut;
}

/// <summary>Runs programs; the seam for tests.</summary>
public interface ICommandRunner
{
    /// <summary>Runs a program to its end.</summary>
    /// <exception cref="ProgramMissingException">The program is not installed.</exception>
    /// <exception cref="Namespaces.NamespaceException">The gateway is gone.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the program and its children were killed.</exception>
    Task<CommandResult> RunAsync(CommandRequest request, CancellationToken cancellationToken);

    /// <summary>Absolute path of a program in the system's folders; null when it is not installed.</summary>
    string? Find(string program);
}

/// <summary>A program that MPSec needs is not installed.</summary>
public sealed class ProgramMissingException(string program)
    : IOException($"The program {program} is not installed (looked in {string.Join(", ", CommandRunner.Folders)})")
{
    /// <summary>Its name.</summary>
    public string Program { get; } = program;
}
