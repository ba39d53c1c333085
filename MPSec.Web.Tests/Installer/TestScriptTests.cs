namespace MPSec.Tests.Installer;

/// <summary>test.sh with a "dotnet test" that prints what the test says.</summary>
public sealed class TestScriptTests : IDisposable
{
    private readonly FakeClone _clone = new();

    public void Dispose() => _clone.Dispose();

    [Fact]
    public async Task Test_AllPass_EndsWithTheCounts()
    {
        var result = await RunAsync(Summary(12, 0, 3));
        Assert.Equal((0, "12 passed, 0 failed, 3 skipped"), (result.ExitCode, LastLine(result)));
        Assert.Single(TestRuns);
    }

    [Fact]
    public async Task Test_OneFailsAndPassesAlone_CountsAsPassedAndIsNamed()
    {
        var result = await RunAsync(Failed("MPSec.Tests.A.B(row: 1, text: \"x y\")") + Summary(11, 1, 0), Summary(4, 0, 0));
        Assert.Equal((0, "12 passed, 0 failed"), (result.ExitCode, LastLine(result)));
        Assert.Contains("Passed only when run alone, please look at: MPSec.Tests.A.B\n", result.Error, StringComparison.Ordinal);
        Assert.EndsWith("-- --filter-method MPSec.Tests.A.B", TestRuns[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Test_OneFailsTwice_Fails()
    {
        var result = await RunAsync(Failed("MPSec.Tests.A.B") + Summary(11, 1, 0), Failed("MPSec.Tests.A.B") + Summary(0, 1, 0));
        Assert.Equal((1, "11 passed, 1 failed"), (result.ExitCode, LastLine(result)));
        Assert.Contains("  said why\n", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Test_FailsAndIsNotFoundAlone_Fails()
    {
        var result = await RunAsync(Failed("MPSec.Tests.A.B") + Summary(11, 1, 0), Summary(0, 0, 0));
        Assert.Equal((1, "11 passed, 1 failed"), (result.ExitCode, LastLine(result)));
    }

    [Fact]
    public async Task Test_ManyFail_AreNotTriedAgain()
    {
        var result = await RunAsync(string.Concat(Enumerable.Range(1, 4).Select(i => Failed("MPSec.Tests.A.B" + i))) + Summary(8, 4, 0), Summary(4, 0, 0));
        Assert.Equal((1, "8 passed, 4 failed"), (result.ExitCode, LastLine(result)));
        Assert.Single(TestRuns);
    }

    [Fact]
    public async Task Test_NoneRan_Fails()
    {
        var result = await RunAsync("");
        Assert.Equal((1, "0 passed, 0 failed"), (result.ExitCode, LastLine(result)));
        Assert.Contains("No test ran.", result.Error, StringComparison.Ordinal);
    }

    private string[] TestRuns => [.. _clone.Machine.Calls.Split('\n').Where(c => c.StartsWith("dotnet test ", StringComparison.Ordinal))];

    private static string Summary(int succeeded, int failed, int skipped) =>
        $"Test run summary: seen\n  total: {succeeded + failed + skipped}\n  failed: {failed}\n  succeeded: {succeeded}\n  skipped: {skipped}\n";

    private static string Failed(string test) => $"failed {test} (21ms)\n  from MPSec.Web.Tests.dll\n  said why\n";

    private static string LastLine(ScriptResult result) => result.Output.TrimEnd('\n').Split('\n')[^1];

    // Each run prints the next text; one that tells of failures ends as dotnet test does then.
    private async Task<ScriptResult> RunAsync(params string[] texts)
    {
        for (var run = 0; run < texts.Length; run++)
        {
            _clone.Machine.Write($"run{run}", texts[run]);
        }

        _clone.Machine.Stub("dotnet", $$"""
            [[ $1 != --list-sdks ]] || echo '10.0.401 [/usr/share/dotnet/sdk]'
            [[ $1 == test ]] || exit 0
            runs=$(grep -c '^dotnet test ' '{{_clone.Machine.In("calls")}}')
            cat '{{_clone.Machine.Root}}'/run$((runs - 1))
            ! grep -q '^failed' '{{_clone.Machine.Root}}'/run$((runs - 1)) || exit 2
            """);
        return await _clone.RunAsync("test.sh", "--no-setup");
    }
}
