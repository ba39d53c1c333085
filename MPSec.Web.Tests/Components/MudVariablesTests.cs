using System.Text.RegularExpressions;
using Bunit;
using MudBlazor;

namespace MPSec.Tests.Components;

/// <summary>mud.css stands in for MudBlazor's theme provider: after an update of the package no variable may be missing.</summary>
public sealed class MudVariablesTests : ShellContext
{
    [Fact]
    public void MudCss_ComparedWithTheThemeProvider_NamesEveryVariable()
    {
        var given = Names(Render<MudThemeProvider>().Markup);
        var own = Names(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "mud.css")));
        Assert.NotEmpty(given);
        Assert.Empty(given.Except(own));
    }

    private static HashSet<string> Names(string css) => [.. Regex.Matches(css, @"(--mud-[\w-]+)\s*:").Select(m => m.Groups[1].Value)];
}
