using MPSec.Changes;
using MPSec.Changes.Kernel;

namespace MPSec.Tests.Changes;

/// <summary>A host that is a list of settings; can fail or "kill the process" at a chosen operation.</summary>
internal sealed class FakeKernel : IHostKernel, IHostSession
{
    public Dictionary<string, string> Values { get; } = new(StringComparer.Ordinal) { ["net.a"] = "0", ["net.b"] = "0", ["net.c"] = "0" };

    public List<string> Applied { get; } = [];

    /// <summary>Pretends that endpoints can be planned; they are never applied.</summary>
    public bool Endpoints { get; set; }

    /// <summary>Settings that come back wrong: what is written to them is lost.</summary>
    public HashSet<string> Stuck { get; } = new(StringComparer.Ordinal);

    public Action<WriteSysctl> Before { get; set; } = _ => { };

    /// <summary>Most operations whose inverses can be told at once.</summary>
    public int Segment { get; set; } = int.MaxValue;

    public IHostSession Open() => this;

    public void Dispose()
    {
    }

    public IReadOnlyList<IReadOnlyList<HostOperation>> InversesOf(IReadOnlyList<HostOperation> operations)
    {
        var before = new Footprint();
        return [.. operations.Take(Segment).Select(o => (Operation: o, Inverse: InverseOf(o))).TakeWhile(x => before.TryAdd(x.Operation, x.Inverse)).Select(x => x.Inverse)];
    }

    public IReadOnlyList<HostOperation> InverseOf(HostOperation operation)
    {
        if (Endpoints && operation is AddEndpoint add)
        {
            return [new RemoveEndpoint(add.Gateway, add.Id, add.Address)];
        }

        var o = (WriteSysctl)operation;
        return Values[o.Key.Value] == o.Value ? [] : [o with { Value = Values[o.Key.Value] }];
    }

    public void Apply(HostOperation operation)
    {
        var o = (WriteSysctl)operation;
        Before(o);
        if (!Stuck.Contains(o.Key.Value))
        {
            Values[o.Key.Value] = o.Value;
        }

        Applied.Add($"{o.Key}={o.Value}");
    }

    public IReadOnlyList<string> Facts(IReadOnlyCollection<HostOperation> operations) =>
        [.. operations.OfType<WriteSysctl>().Select(o => $"setting {o.Key} {Values[o.Key.Value]}").Distinct().Order(StringComparer.Ordinal)];
}
