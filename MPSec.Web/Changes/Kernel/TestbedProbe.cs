using MPSec.Linux;
using MPSec.Linux.Netlink;
using MPSec.Linux.Sockets;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>What a testbed needs of this host, found by trying it in a namespace that vanishes at once; kernel versions and module lists say less.</summary>
/// <param name="Permitted">Network namespaces may be made (CAP_SYS_ADMIN and CAP_NET_ADMIN).</param>
/// <param name="Multipath">The kernel speaks MPTCP.</param>
/// <param name="Veth">veth interfaces.</param>
/// <param name="TokenBucket">The shaper tbf.</param>
/// <param name="Netem">The delay emulator netem.</param>
/// <param name="Reason">The kernel's words for the first thing that is missing.</param>
public sealed record TestbedProbe(bool Permitted, bool Multipath, bool Veth, bool TokenBucket, bool Netem, string? Reason)
{
    /// <summary>Tries everything; takes some 20 ms.</summary>
    public static TestbedProbe Run()
    {
        try
        {
            return NamespaceFiles.InScratch(TryAll);
        }
        catch (ChangeException e)
        {
            return new(e.Fault != ChangeFault.NotPermitted, false, false, false, false, e.Message);
        }
        catch (IOException e)
        {
            return new(true, false, false, false, false, e.Message);
        }
    }

    private static TestbedProbe TryAll()
    {
        using var conversation = new NetlinkConversation(NetlinkSocket.Open(GatewayName.Host, NetlinkSocket.Route, TimeSpan.FromSeconds(5)));
        string? reason = null;
        var multipath = Try(() => MptcpSocket.OpenHere(System.Net.Sockets.AddressFamily.InterNetwork).Dispose());
        var own = LibC.Open("/proc/thread-self/ns/net", LibC.OReadOnly | LibC.OCloexec);
        bool veth;
        try
        {
            veth = Try(() =>
            {
                LinkMessages.Veth(conversation.Begin(LinkMessages.NewLink, NetlinkWriter.Ack | NetlinkWriter.Create | NetlinkWriter.Exclusive), InterfaceName.Parse("try0"), InterfaceName.Parse("try1"), own);
                conversation.Execute("veth");
            });
        }
        finally
        {
            _ = LibC.Close(own);
        }

        // lo is always there and takes a queueing discipline as well as any other.
        const int Loopback = 1;
        var shaper = new SetShaper(GatewayName.Host, InterfaceName.Parse("lo"), 1_000_000_000, 100_000, 200_000, TimeSpan.FromMilliseconds(1));
        var tokenBucket = Try(() =>
        {
            LinkMessages.TokenBucket(conversation.Begin(LinkMessages.NewQdisc, NetlinkWriter.Ack | NetlinkWriter.Create | NetlinkWriter.Replace), Loopback, shaper);
            conversation.Execute("tbf");
        });
        var missing = reason;
        var netem = Try(() =>
        {
            LinkMessages.Delay(conversation.Begin(LinkMessages.NewQdisc, NetlinkWriter.Ack | NetlinkWriter.Create | NetlinkWriter.Replace), Loopback, shaper);
            conversation.Execute("netem");
        });
        return new(true, multipath, veth, tokenBucket, netem, missing ?? reason);

        bool Try(Action action)
        {
            try
            {
                action();
                return true;
            }
            catch (IOException e)
            {
                reason ??= e.Message;
                return false;
            }
        }
    }
}
