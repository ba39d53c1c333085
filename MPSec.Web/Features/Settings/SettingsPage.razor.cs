using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Components.Controls;
using MPSec.Components.Layout;

namespace MPSec.Features.Settings;

/// <summary>What belongs to the program and not to a gateway: tokens for programs, and what this program is.</summary>
public sealed partial class SettingsPage(IStringLocalizer<SettingsTexts> texts)
{
    private int? _good;

    /// <summary>The gateway in the address; settings belong to the program, links keep it.</summary>
    [CascadingParameter(Name = GatewayLink.Parameter)]
    public string Gateway { get; set; } = "host";

    /// <summary>The tab shown.</summary>
    [SupplyParameterFromQuery(Name = "tab")]
    public string? Tab { get; set; }

    private IStringLocalizer<SettingsTexts> L => texts;

    private static string[] Tabs => ["tokens", "alerts", "history", "about"];

    private string Shown => Tabs.Contains(Tab) ? Tab! : Tabs[0];

    private (string? Text, StateKind Kind) StateLine => Shown == "about" ? (AboutFacts.Version, StateKind.None)
        : Shown is "alerts" or "history" ? (null, StateKind.Unknown)
        : _good switch
        {
            null => (null, StateKind.Unknown),
            0 => (L["StateNoTokens"], StateKind.Off),
            { } good => (L["StateTokens", good], StateKind.Up),
        };

    private void Count(int good) => _good = good;
}
