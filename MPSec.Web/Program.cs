using MPSec.Hosting.Cli;

return await MPSecCommandLine.RunAsync(args);

/// <summary>Entry point: picks the verb and runs it.</summary>
public partial class Program;
