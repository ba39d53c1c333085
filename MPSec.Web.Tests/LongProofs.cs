namespace MPSec.Tests;

/// <summary>Proofs that are run in a short form unless MPSEC_LONG=1 asks for the whole of them.</summary>
internal static class LongProofs
{
    /// <summary>The whole of them is asked for.</summary>
    public static bool Wanted { get; } = Environment.GetEnvironmentVariable("MPSEC_LONG") == "1";

    /// <summary>Skips a case that others of the usual suite stand for.</summary>
    public static void SkipUsually(bool isLong = true) => Assert.SkipWhen(isLong && !Wanted, "takes half a minute; set MPSEC_LONG=1");
}
