using System.CommandLine;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec network</c>: paths and routing of a gateway.</summary>
public static class NetworkCommand
{
    /// <summary>The verb with its subcommands.</summary>
    public static Command Create() => new("network", "Paths and routing of a gateway") { NetworkShowCommand.Create(), NetworkFileCommand.Export(), NetworkFileCommand.Apply(), NetworkRollbackCommand.Create() };
}
