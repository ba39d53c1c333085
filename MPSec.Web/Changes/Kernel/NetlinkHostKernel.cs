using MPSec.Linux.Namespaces;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>The kernel itself, by netlink and files of <c>/proc/sys</c>.</summary>
public sealed class NetlinkHostKernel : IHostKernel
{
    /// <inheritdoc/>
    public IHostSession Open() => new NetlinkHostSession();
}

/// <summary>Keeps one handle per gateway, with what was read through it.</summary>
internal sealed class NetlinkHostSession : IHostSession
{
    private const int Enodev = 19;

    private readonly Dictionary<GatewayName, GatewayHandle> _gateways = [];

    /// <inheritdoc/>
    public IReadOnlyList<HostOperation> InverseOf(HostOperation operation)
    {
        ArgumentNullException.ThrowIfNull(operation);
        operation.Validate();
        return Translate(operation.Gateway, () => KernelInverse.Of(operation, At(operation.Gateway), At));
    }

    /// <inheritdoc/>
    public IReadOnlyList<IReadOnlyList<HostOperation>> InversesOf(IReadOnlyList<HostOperation> operations)
    {
        ArgumentNullException.ThrowIfNull(operations);
        var inverses = new List<IReadOnlyList<HostOperation>>();
        var before = new Footprint();
        foreach (var operation in operations)
        {
            IReadOnlyList<HostOperation> inverse;
            try
            {
                inverse = InverseOf(operation);
            }
            catch (ChangeException) when (inverses.Count > 0)
            {
                break; // One before it may make what it needs.
            }

            if (!before.TryAdd(operation, inverse) && inverses.Count > 0)
            {
                break;
            }

            inverses.Add(inverse);
        }

        return inverses;
    }

    /// <inheritdoc/>
    public void Apply(HostOperation operation)
    {
        ArgumentNullException.ThrowIfNull(operation);
        operation.Validate();
        try
        {
            Translate(operation.Gateway, () =>
            {
                KernelChanges.Apply(operation, At(operation.Gateway), At);
                return true;
            });
        }
        finally
        {
            Forget(operation);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Facts(IReadOnlyCollection<HostOperation> operations)
    {
        ArgumentNullException.ThrowIfNull(operations);
        return operations.Count == 0 ? [] : Translate(operations.First().Gateway, () => KernelFacts.Of(operations, At));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var gateway in _gateways.Values)
        {
            gateway.Dispose();
        }

        _gateways.Clear();
    }

    private GatewayHandle At(GatewayName name) => _gateways.TryGetValue(name, out var open) ? open : _gateways[name] = new(name);

    private void Forget(HostOperation operation)
    {
        var parts = operation switch
        {
            AddAddress => Held.Addresses | Held.Routes,
            ReplaceRoute or RemoveRoute => Held.Routes,
            AddRule or RemoveRule => Held.Rules,
            SetShaper or RemoveShaper => Held.Queues,
            AddEndpoint or RemoveEndpoint or SetEndpointFlags => Held.Endpoints,
            SetMptcpLimits => Held.Limits,
            BlockInterface => Held.Blocks,
            WriteSysctl o when !Footprint.ReachesFar(o) => Held.None,
            _ => Held.OfLinks,
        };
        foreach (var gateway in operation.Gateways)
        {
            if (operation is CreateNamespace or DeleteNamespace)
            {
                if (_gateways.Remove(gateway, out var gone))
                {
                    gone.Dispose();
                }
            }
            else if (_gateways.TryGetValue(gateway, out var open))
            {
                open.Forget(parts);
            }
        }
    }

    private static T Translate<T>(GatewayName name, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (NamespaceException e)
        {
            throw new ChangeException(e.IsGone ? ChangeFault.NotFound : ChangeFault.NotPermitted, e.Message, e);
        }
        catch (NetlinkException e)
        {
            var fault = e.Errno switch { 1 or 13 => ChangeFault.NotPermitted, Enodev => ChangeFault.NotFound, 95 => ChangeFault.NotAvailable, _ => ChangeFault.Refused };
            throw new ChangeException(fault, $"gateway {name}: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ChangeException(e is UnauthorizedAccessException ? ChangeFault.NotPermitted : ChangeFault.Refused, $"gateway {name}: {e.Message}", e);
        }
    }
}
