namespace MPSec.Features.Settings;

/// <summary>
/// Decides what is raised and cleared. It only computes: it gets values with the monotonic time at which they were taken, and tells what changed.
/// </summary>
/// <param name="limits">Limits by rule.</param>
public sealed class AlertEvaluator(IReadOnlyDictionary<AlertRule, AlertLimit> limits)
{
    private readonly Dictionary<AlertKey, State> _states = [];

    /// <summary>Alerts that are raised now.</summary>
    public IEnumerable<AlertKey> Raised => _states.Where(s => s.Value.Raised).Select(s => s.Key);

    /// <summary>Takes an alert as raised, as it was when the program ended.</summary>
    public void Resume(AlertKey key) => _states[key] = new(true, null);

    /// <summary>Looks at all values of one gateway at one moment. A raised alert whose subject is no longer among them counts as good.</summary>
    /// <param name="gateway">Gateway of all observations.</param>
    /// <param name="observations">The values.</param>
    /// <param name="rules">Rules that these observations are complete for.</param>
    /// <param name="now">Monotonic time, from any beginning.</param>
    /// <param name="at">Wall-clock time, for the record.</param>
    public IReadOnlyList<AlertChange> Evaluate(string gateway, IReadOnlyCollection<AlertObservation> observations, IReadOnlySet<AlertRule> rules, TimeSpan now, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(observations);
        var changes = new List<AlertChange>();
        var seen = observations.Select(o => o.Key).ToHashSet();
        var gone = _states.Keys.Where(k => k.Gateway == gateway && rules.Contains(k.Rule) && !seen.Contains(k)).Select(k => (Key: k, Value: (double?)null, Gone: true)).ToList();
        foreach (var (key, value, missing) in observations.Select(o => (o.Key, o.Value, Gone: false)).Concat(gone))
        {
            var state = _states.GetValueOrDefault(key) ?? new State(false, null);
            var limit = limits[key.Rule];
            // Unknown, or between the limits: whatever was going on begins anew.
            var turns = missing ? state.Raised : value is { } v && (state.Raised ? v < limit.Clear : v >= limit.Raise);
            if (!turns)
            {
                Keep(key, state with { Since = null }, missing);
            }
            else if (now - (state.Since ?? now) is var lasted && lasted >= (state.Raised ? limit.ClearAfter : limit.RaiseAfter))
            {
                changes.Add(new(key, !state.Raised, value, at));
                Keep(key, new(!state.Raised, null), missing);
            }
            else
            {
                _states[key] = state with { Since = state.Since ?? now };
            }
        }

        return changes;
    }

    private void Keep(AlertKey key, State state, bool missing)
    {
        if (missing && !state.Raised)
        {
            _states.Remove(key);
        }
        else
        {
            _states[key] = state;
        }
    }

    /// <param name="Raised">Raised now.</param>
    /// <param name="Since">Since when the value asks for the other state.</param>
    private sealed record State(bool Raised, TimeSpan? Since);
}
