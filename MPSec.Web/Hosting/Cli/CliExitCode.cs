namespace MPSec.Hosting.Cli;

/// <summary>Exit codes of every verb.</summary>
public static class CliExitCode
{
    /// <summary>Done.</summary>
    public const int Done = 0;

    /// <summary>Tried and failed; the sentence on standard error says why.</summary>
    public const int Failed = 1;

    /// <summary>The command line is wrong; nothing was tried.</summary>
    public const int Usage = 2;

    /// <summary>The caller may not do this (mostly: not root).</summary>
    public const int NotPermitted = 3;

    /// <summary>This host cannot do it; the sentence names what is missing.</summary>
    public const int NotAvailable = 4;

    /// <summary>The configuration is wrong (sysexits.h EX_CONFIG); all faults are listed.</summary>
    public const int Configuration = 78;
}

/// <summary>Ends a verb with an exit code and one sentence for standard error.</summary>
public sealed class CliException(int exitCode, string sentence) : Exception(sentence)
{
    /// <summary>One of <see cref="CliExitCode"/>.</summary>
    public int ExitCode { get; } = exitCode;
}
