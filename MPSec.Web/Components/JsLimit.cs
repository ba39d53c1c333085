namespace MPSec.Components;

/// <summary>How long calls to the browser may take.</summary>
public static class JsLimit
{
    /// <summary>For each of our own calls, which can bear that there is no answer.</summary>
    public static readonly TimeSpan Usual = TimeSpan.FromMinutes(1);

    /// <summary>
    /// For calls of others that name no limit of their own: none. A connection that breaks swallows answers; when such a call of a list that is going ran out of
    /// time, the framework would end the whole page, which may have been back for long. A limit that is merely long would keep closed pages in memory until then.
    /// </summary>
    public static readonly TimeSpan Others = Timeout.InfiniteTimeSpan;
}
