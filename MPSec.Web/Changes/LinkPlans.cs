using MPSec.Changes.Kernel;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>Plans of one interface or one setting that pages offer as a button.</summary>
public sealed class LinkPlans(IHostKernel kernel, ChangeJournal journal)
{
    /// <summary>IP Down: the interface goes down; its routes are kept in the journal.</summary>
    public ChangePlan Down(GatewayName gateway, InterfaceName name) => new()
    {
        TitleCode = "link.down",
        TitleArguments = [gateway.Value, name.Value],
        Operations = [new SetLinkState(gateway, name, false)],
        RequiredRole = ChangeRole.Operator,
        Danger = ChangeDanger.Medium,
    };

    /// <summary>IP Up: the interface comes up and gets back the addresses and routes that it lost when MPSec took it down.</summary>
    /// <exception cref="ChangeException">There is no such gateway or interface.</exception>
    public async Task<ChangePlan> UpAsync(GatewayName gateway, InterfaceName name, CancellationToken cancellationToken = default)
    {
        var up = new SetLinkState(gateway, name, true);
        var isUp = await Task.Run(() => kernel.InverseOf(up).Count == 0, cancellationToken);
        return new()
        {
            TitleCode = "link.up",
            TitleArguments = [gateway.Value, name.Value],
            Operations = isUp ? [up] : [up, .. await journal.LostByLinkDownAsync(gateway, name, cancellationToken)],
            RequiredRole = ChangeRole.Operator,
            Danger = ChangeDanger.Low,
        };
    }

    /// <summary>MP ON or MP OFF: whether new sockets of the gateway may speak MPTCP. Connections that exist stay as they are.</summary>
    public ChangePlan Multipath(GatewayName gateway, bool enabled) => new()
    {
        TitleCode = enabled ? "mptcp.on" : "mptcp.off",
        TitleArguments = [gateway.Value],
        Operations = [new WriteSysctl(gateway, SysctlKey.Parse("net.mptcp.enabled"), enabled ? "1" : "0")],
        Remarks = ["new-connections-only"],
        RequiredRole = ChangeRole.Operator,
        Danger = enabled ? ChangeDanger.Low : ChangeDanger.Medium,
    };

    /// <summary>Makes the peer's connections ask for their lost subflows again: the endpoint is withdrawn and announced anew.</summary>
    public static ChangePlan Reannounce(AddEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        return new()
        {
            TitleCode = "endpoint.reannounce",
            TitleArguments = [endpoint.Gateway.Value, endpoint.Address.ToString()],
            Operations = [new RemoveEndpoint(endpoint.Gateway, endpoint.Id, endpoint.Address), endpoint],
            RequiredRole = ChangeRole.Operator,
            Danger = ChangeDanger.Low,
        };
    }
}
