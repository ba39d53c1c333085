using System.Collections.Immutable;

namespace MPSec.Features.Settings;

/// <summary>What an alert is about, so that it can be found again.</summary>
/// <param name="Kind">What.</param>
/// <param name="Gateway">The gateway; empty for the machine.</param>
/// <param name="Subject">The path; null for the gateway as a whole.</param>
public readonly record struct AlertKey(AlertKind Kind, string Gateway, string? Subject);

/// <summary>An alert began or ended.</summary>
/// <param name="Key">Which.</param>
/// <param name="Raised">Began; false when it ended.</param>
/// <param name="Value">The number that decided; null when it ended because the number is no longer measured or the rule is off.</param>
/// <param name="Threshold">The number that it was compared with.</param>
public sealed record AlertTurn(AlertKey Key, bool Raised, double? Value, double Threshold);

/// <summary>
/// Tells from one round of facts to the next which alerts begin and end: not before a value has stood for the time of its rule, and not again before it has
/// come well below. Knows no clock but the one that it is given. Not thread-safe.
/// </summary>
public sealed class AlertWatch
{
    /// <summary>An alert whose number is missing for so long ends: its path or gateway is gone.</summary>
    public static readonly TimeSpan Forget = TimeSpan.FromMinutes(5);

    private readonly Dictionary<AlertKey, State> _states = [];

    /// <summary>The alerts that stand.</summary>
    public IEnumerable<AlertKey> Standing => _states.Where(s => s.Value.Stands).Select(s => s.Key);

    /// <summary>An alert that stood before the program was started again; it is not told twice.</summary>
    public void Restore(AlertKey key, TimeSpan now) => _states[key] = new() { Stands = true, SeenAt = now };

    /// <summary>Takes a round of facts.</summary>
    /// <param name="facts">What was observed; a missing number leaves its alert as it is, for <see cref="Forget"/> at most.</param>
    /// <param name="rules">The rules.</param>
    /// <param name="now">Monotonic time.</param>
    public ImmutableArray<AlertTurn> Observe(IEnumerable<AlertFact> facts, IEnumerable<AlertRule> rules, TimeSpan now)
    {
        ArgumentNullException.ThrowIfNull(facts);
        var known = rules.Where(r => r.Enabled).ToDictionary(r => r.Kind);
        var turns = ImmutableArray.CreateBuilder<AlertTurn>();
        foreach (var fact in facts)
        {
            if (known.TryGetValue(fact.Kind, out var rule) && double.IsFinite(fact.Value))
            {
                var key = new AlertKey(fact.Kind, fact.Gateway, fact.Subject);
                if (!_states.TryGetValue(key, out var state))
                {
                    _states[key] = state = new();
                }

                state.SeenAt = now;
                if (Turn(state, fact.Value, rule, now))
                {
                    turns.Add(new(key, state.Stands, fact.Value, state.Stands ? rule.Raise : rule.Clear));
                }
            }
        }

        foreach (var (key, state) in _states.ToList())
        {
            var off = !known.TryGetValue(key.Kind, out var rule);
            if (off || now - state.SeenAt >= Forget)
            {
                _states.Remove(key);
                if (state.Stands)
                {
                    turns.Add(new(key, false, null, rule?.Clear ?? 0));
                }
            }
        }

        return turns.ToImmutable();
    }

    // Between the two thresholds nothing changes, and a time that had begun to run starts anew.
    private static bool Turn(State state, double value, AlertRule rule, TimeSpan now)
    {
        if (state.Stands ? value > rule.Clear : value < rule.Raise)
        {
            state.Since = null;
            return false;
        }

        state.Since ??= now;
        if (now - state.Since < TimeSpan.FromSeconds(rule.Seconds))
        {
            return false;
        }

        (state.Stands, state.Since) = (!state.Stands, null);
        return true;
    }

    private sealed class State
    {
        public bool Stands { get; set; }

        /// <summary>Since when the value asks for the other state.</summary>
        public TimeSpan? Since { get; set; }

        public TimeSpan SeenAt { get; set; }
    }
}
