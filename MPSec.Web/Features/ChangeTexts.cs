using System.Collections.Immutable;
using Microsoft.Extensions.Localization;
using MPSec.Changes;

namespace MPSec.Features;

/// <summary>Marks the texts about changes that every page shares (ChangeTexts.resx and ChangeTexts.ko.resx).</summary>
public sealed class ChangeTexts;

/// <summary>What a change did, in the language of the reader: journal and audit log keep codes.</summary>
public sealed class ChangeTitles(IStringLocalizer<ChangeTexts> texts)
{
    /// <summary>The title of a change that has ended.</summary>
    public string Of(ChangeReport change) => Of(change?.TitleCode ?? "", change?.TitleArguments ?? []);

    /// <summary>The title of a change that waits.</summary>
    public string Of(PendingChange change) => Of(change?.TitleCode ?? "", change?.TitleArguments ?? []);

    /// <summary>The title of this code; the code itself when it has no text.</summary>
    public string Of(string code, ImmutableArray<string> arguments)
    {
        var text = texts[$"Change_{code}", [.. arguments]];
        return text.ResourceNotFound ? code : text;
    }
}
