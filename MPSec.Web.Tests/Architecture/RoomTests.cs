using System.Text;
using ArchUnitNET.Domain;
using ArchUnitNET.Loader;

namespace MPSec.Tests.Architecture;

/// <summary>Who may know whom. MPSec.Web/README.md draws the same picture; change both in one step.</summary>
public sealed class RoomTests
{
    private static readonly string[] s_rooms = ["Linux", "Live", "Data", "Changes", "Jobs", "Components", "Features", "Hosting"];

    private static readonly Dictionary<string, string[]> s_allowed = new()
    {
        ["Linux"] = [],
        ["Live"] = [],
        ["Data"] = ["Live"],
        ["Changes"] = ["Linux", "Data"],
        ["Jobs"] = ["Linux", "Data"],
        ["Components"] = [],
        ["Features"] = ["Components", "Linux", "Live", "Changes", "Jobs", "Data"],
        ["Hosting"] = s_rooms,
    };

    /// <summary>One reason per forbidden pair, shown when the pair is broken.</summary>
    private static readonly Dictionary<(string From, string To), string> s_reasons = new()
    {
        [("Linux", "Live")] = "adapters decode bytes; when and how often they run is the sampler's affair",
        [("Linux", "Data")] = "an adapter that stores what it reads cannot be tested on recorded bytes",
        [("Linux", "Changes")] = "reading must work without the right to change anything",
        [("Linux", "Jobs")] = "adapters are called, they do not schedule",
        [("Linux", "Components")] = "adapters run in the command line and the helper, where there is no page",
        [("Linux", "Features")] = "an adapter serves every feature alike and knows none",
        [("Linux", "Hosting")] = "adapters get what they need as arguments, not from the process",
        [("Live", "Linux")] = "the live path carries any snapshot; it must not know what is measured",
        [("Live", "Data")] = "the live view goes on when the database is full, locked or broken",
        [("Live", "Changes")] = "showing must never alter what is shown",
        [("Live", "Jobs")] = "a sampler is no job: it has no end and no result",
        [("Live", "Components")] = "components subscribe to the store, never the other way round",
        [("Live", "Features")] = "the live path serves every feature alike and knows none",
        [("Live", "Hosting")] = "a store is put together by the host and knows nothing of it",
        [("Data", "Linux")] = "tables hold what features give them; they do not read the kernel",
        [("Data", "Changes")] = "entities are found by reflection, so the database names no owner",
        [("Data", "Jobs")] = "entities are found by reflection, so the database names no owner",
        [("Data", "Components")] = "storage has no look",
        [("Data", "Features")] = "entities are found by reflection, so the database names no feature",
        [("Data", "Hosting")] = "storage gets its folder as an argument",
        [("Changes", "Live")] = "the one door works without a page and without a sampler",
        [("Changes", "Jobs")] = "a change is short and exact; a job that changes the host asks the door through its feature",
        [("Changes", "Components")] = "the door also stands in the helper process, which has no page",
        [("Changes", "Features")] = "the door accepts operations from any feature and trusts none",
        [("Changes", "Hosting")] = "the door must be the same in the web process, the helper and the tests",
        [("Jobs", "Live")] = "the durable row is the truth of a job; features show it live",
        [("Jobs", "Changes")] = "the engine runs steps and does not know what they alter; the feature's step asks the door",
        [("Jobs", "Components")] = "the engine also runs where there is no page",
        [("Jobs", "Features")] = "the engine runs any kind of job and names none",
        [("Jobs", "Hosting")] = "the engine gets its folder and clock as arguments",
        [("Components", "Linux")] = "a component shows what it is given; it makes no system call",
        [("Components", "Live")] = "a component gets values as parameters, so that it can be tested without a store",
        [("Components", "Data")] = "a component shows what it is given; it asks no database",
        [("Components", "Changes")] = "a button raises an event; the feature decides and authorises",
        [("Components", "Jobs")] = "a component shows what it is given; it starts nothing",
        [("Components", "Features")] = "look and feel serve every feature alike",
        [("Components", "Hosting")] = "the shell gets its facts through its own interfaces",
        [("Features", "Hosting")] = "a feature must run in any host: web, command line, tests",
    };

    private static readonly ArchUnitNET.Domain.Architecture s_architecture = new ArchLoader().LoadAssemblies(typeof(Program).Assembly).Build();

    [Fact]
    public void Rooms_EveryForbiddenPair_HasAReason()
    {
        foreach (var from in s_rooms)
        {
            foreach (var to in s_rooms.Where(to => to != from && !s_allowed[from].Contains(to)))
            {
                Assert.True(s_reasons.ContainsKey((from, to)), $"no reason is given why {from} may not know {to}");
            }
        }
    }

    [Fact]
    public void Rooms_Dependencies_KeepToTheAllowedOnes()
    {
        var breaches = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var (type, target) in Arrows())
        {
            var (from, to) = (Room(type), Room(target));
            if (from is not null && to is not null && from != to && !s_allowed[from].Contains(to))
            {
                breaches.Add($"{type.FullName} uses {target.FullName}: {from} may not know {to}, because {s_reasons[(from, to)]}");
            }
        }

        Assert.True(breaches.Count == 0, Lines(breaches));
    }

    [Fact]
    public void Features_OfEachOther_OnlyReadersUseStoresAndServices()
    {
        string[] readers = ["Overview", "Doctor", "Lab"];
        var published = Published();
        var breaches = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var (type, target) in Arrows())
        {
            var (from, to) = (Feature(type), Feature(target));
            if (from is null || to is null || from == to)
            {
                continue;
            }

            if (!readers.Contains(from) || !published.Contains(target))
            {
                breaches.Add($"{type.FullName} uses {target.FullName}: a feature that knows another cannot be left out or changed alone");
            }
        }

        Assert.True(breaches.Count == 0, Lines(breaches));
    }

    [Fact]
    public void Types_EveryOne_LivesInARoom()
    {
        var strays = s_architecture.Types
            .Where(t => t.FullName.StartsWith("MPSec.", StringComparison.Ordinal) && Room(t) is null)
            .Select(t => t.FullName);
        Assert.Empty(strays);
    }

    /// <summary>Stores and services of features, and the snapshots that they hand out with everything inside them.</summary>
    private static HashSet<IType> Published()
    {
        var published = s_architecture.Types.Where(t => Feature(t) is not null && (t.Name.EndsWith("Store", StringComparison.Ordinal) || t.Name.EndsWith("Service", StringComparison.Ordinal))).ToHashSet();
        var open = new Queue<IType>(s_architecture.Types.Where(t => Feature(t) is not null && t.Name.EndsWith("Snapshot", StringComparison.Ordinal)));
        while (open.TryDequeue(out var type))
        {
            if (published.Add(type))
            {
                foreach (var inside in type.Dependencies.Select(d => d.Target).Where(t => Feature(t) == Feature(type)))
                {
                    open.Enqueue(inside);
                }
            }
        }

        return published;
    }

    private static IEnumerable<(IType Type, IType Target)> Arrows() =>
        from type in s_architecture.Types
        from target in type.Dependencies.Select(d => d.Target).Distinct()
        where !ReferenceEquals(type, target)
        select (type, target);

    private static string? Room(IType type) => Part(type, 1) is { } room && s_rooms.Contains(room) ? room : null;

    private static string? Feature(IType type) => Room(type) == "Features" ? Part(type, 2) : null;

    private static string? Part(IType type, int index)
    {
        var parts = (type.Namespace?.FullName ?? "").Split('.');
        return parts[0] == "MPSec" && parts.Length > index ? parts[index] : null;
    }

    private static string Lines(IEnumerable<string> lines) => lines.Aggregate(new StringBuilder("\n"), (text, line) => text.AppendLine(line)).ToString();
}
