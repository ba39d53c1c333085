using MPSec.Linux.Procfs;

namespace MPSec.Features.Kernel;

/// <summary>Says why an option did not come out as it was asked for.</summary>
/// <param name="tree">The source.</param>
/// <param name="config">The configuration that came out.</param>
public sealed class KernelConfigReason(KconfigTree tree, KernelConfig config)
{
    private const int MostNamed = 3;

    /// <summary>The reason in one sentence, without a full stop.</summary>
    public string Of(KernelOptionFault fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        if (fault.IsHarmless)
        {
            return "it is built in, which does as well";
        }

        var (name, wanted) = (fault.Wanted.Option, fault.Wanted.Value);
        var places = tree.Find(name);
        if (places.Count == 0)
        {
            return $"this source has no option {name}";
        }

        return wanted is "n" ? WhyOn(name, places)
            : wanted is "y" or "m" ? places.Select(p => WhyNot(p, wanted)).OfType<string>().FirstOrDefault() ?? "the source's own rules left it out"
            : fault.Found == "n" ? places.Select(p => Unmet(p, 1)).OfType<string>().FirstOrDefault() ?? "the source's own rules left it out"
            : $"the source's own rules made it {fault.Found}";
    }

    private string WhyOn(string name, IReadOnlyList<KconfigOption> places)
    {
        var choosers = tree.Selectors(name).Where(s => config[s] is "y" or "m").Distinct().Take(MostNamed).ToArray();
        return choosers.Length > 0 ? $"{string.Join(", ", choosers)} {(choosers.Length == 1 ? "needs" : "need")} it"
            : places.All(p => !p.HasPrompt) ? "it has no question of its own, and its default is on"
            : places.FirstOrDefault(p => p.Choice is not null) is not null ? "one of its choice must be on, and it is the default"
            : "its default is on, and the question is not asked in this configuration";
    }

    private string? WhyNot(KconfigOption place, string wanted)
    {
        if (Unmet(place, place.IsTristate && wanted == "y" ? 2 : 1) is { } unmet)
        {
            return unmet;
        }

        if (place.Choice is { } choice && tree.OfChoice(choice).FirstOrDefault(o => o != place.Name && config[o] is "y") is { } other)
        {
            return $"it is a part of a choice in which {other} was taken";
        }

        if (place.HasPrompt)
        {
            return wanted == "m" && !place.IsTristate ? "it can be built in only, not as a module" : "the source's own rules left it out";
        }

        var followed = place.Defaults.SelectMany(KconfigExpression.Symbols).Distinct().Where(s => (config[s] ?? "n") != "y").Take(MostNamed).ToArray();
        var choosers = tree.Selectors(place.Name).Distinct().Take(MostNamed).ToArray();
        return followed.Length > 0 ? $"it has no question of its own: it follows {Named(followed)}"
            : choosers.Length > 0 ? $"it has no question of its own: it is on when one of {string.Join(", ", choosers)} is"
            : "it has no question of its own";
    }

    private string? Unmet(KconfigOption place, int least)
    {
        foreach (var term in place.Depends.SelectMany(KconfigExpression.Terms).Distinct())
        {
            if (KconfigExpression.Evaluate(term, s => config[s]) < least)
            {
                var symbols = KconfigExpression.Symbols(term);
                return symbols is [var single] && term == single ? $"it needs {Named([single])}" : $"it needs {term}, and {Named([.. symbols.Take(MostNamed)])}";
            }
        }

        return null;
    }

    private string Named(IReadOnlyList<string> symbols) => string.Join(", ", symbols.Select(s => tree.Find(s).Count == 0 && config[s] is null ? $"{s}, which this source does not have" : $"{s}, which is {config[s] ?? "n"}"));
}
