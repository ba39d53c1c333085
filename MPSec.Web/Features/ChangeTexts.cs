using System.Collections.Immutable;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Components.Controls;

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

    /// <summary>Why a change does not stand and what came of it; as the journal says it where there is no text for that.</summary>
    public string ReasonOf(ChangeReport change)
    {
        if (UndoSentence.Of(change?.Sentence) is not { } undone)
        {
            return change?.Sentence ?? Figures.Missing;
        }

        var why = texts[$"Why_{undone.Why}", [.. undone.WhyArguments]].Value;
        return undone.Facts == 0 ? texts["UndoneNothing", why] : texts["UndoneBack", why, undone.Facts];
    }

    /// <summary>The title of this code; the code itself when it has no text.</summary>
    public string Of(string code, ImmutableArray<string> arguments)
    {
        var text = texts[$"Change_{code}", [.. arguments]];
        return text.ResourceNotFound ? code : text;
    }
}
