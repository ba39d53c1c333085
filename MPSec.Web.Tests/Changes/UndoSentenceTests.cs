using MPSec.Changes;

namespace MPSec.Tests.Changes;

/// <summary>What the journal says can be said in another language.</summary>
public sealed class UndoSentenceTests
{
    public static TheoryData<string, string, string, int> Sentences => new()
    {
        { UndoSentence.Back(UndoSentence.NotConfirmed(60_000), 12), "NotConfirmed", "60", 12 },
        { UndoSentence.Back(UndoSentence.NotConfirmed(1_500), 1), "NotConfirmed", "1.5", 1 },
        { UndoSentence.Back(UndoSentence.Asked("미나"), 3), "Asked", "미나", 3 },
        { UndoSentence.Nothing(UndoSentence.Restarted), "Restarted", "", 0 },
        { UndoSentence.Nothing(UndoSentence.ProcessEnded), "ProcessEnded", "", 0 },
        { UndoSentence.Back(UndoSentence.Told, 2), "Told", "", 2 },
        { UndoSentence.Back(UndoSentence.TookTooLong, 2), "TookTooLong", "", 2 },
    };

    [Theory, MemberData(nameof(Sentences))]
    public void Of_SentenceOfTheJournal_IsTakenApart(string sentence, string why, string argument, int facts)
    {
        var parts = UndoSentence.Of(sentence);
        Assert.Equal((why, argument, facts), (parts!.Why, string.Join(' ', parts.WhyArguments), parts.Facts));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("nobody confirmed it within 60 s; undoing it failed: no such device")]
    [InlineData("somebody; else asked for it; nothing was changed")]
    public void Of_AnythingElse_StaysAsItIs(string? sentence) => Assert.Null(UndoSentence.Of(sentence));
}
