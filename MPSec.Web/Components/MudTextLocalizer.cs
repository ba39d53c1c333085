using Microsoft.Extensions.Localization;
using MudBlazor;

namespace MPSec.Components;

/// <summary>MudBlazor's own words from our texts; a word that is missing here stays English.</summary>
public sealed class MudTextLocalizer(IStringLocalizer<MudTexts> texts) : MudLocalizer
{
    /// <inheritdoc/>
    public override LocalizedString this[string key] => texts[key];

    /// <inheritdoc/>
    public override LocalizedString this[string key, params object[] arguments] => texts[key, arguments];
}
