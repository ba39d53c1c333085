using System.Diagnostics;

namespace MPSec.Tests.Installer;

public sealed class ScriptSyntaxTests
{
    /// <summary>Every shell script of the clone's installer folder, and the one of CI.</summary>
    public static TheoryData<string> Scripts =>
        [.. Directory.GetFiles(Path.Combine(ScriptSandbox.Repository, "installer"), "*.sh").Append(Path.Combine(ScriptSandbox.Repository, ".ci", "run"))
            .Select(file => Path.GetRelativePath(ScriptSandbox.Repository, file)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Scripts))]
    public async Task Script_Syntax_IsRight(string script) => Assert.Equal("", await RunAsync("bash", "-n", script));

    [Theory]
    [MemberData(nameof(Scripts))]
    public async Task Script_ShellCheck_FindsNothing(string script)
    {
        Assert.SkipUnless(File.Exists(ScriptSandbox.Real("shellcheck")), "shellcheck is not installed");
        Assert.Equal("", await RunAsync("shellcheck", "-x", script));
    }

    private static async Task<string> RunAsync(string tool, params string[] arguments)
    {
        var start = new ProcessStartInfo(ScriptSandbox.Real(tool), arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = ScriptSandbox.Repository };
        using var process = Process.Start(start)!;
        var stop = TestContext.Current.CancellationToken;
        var error = process.StandardError.ReadToEndAsync(stop);
        var output = await process.StandardOutput.ReadToEndAsync(stop);
        await process.WaitForExitAsync(stop);
        return output + await error;
    }
}
