namespace MPSec.Changes.Kernel;

/// <summary>The hands of the one door. Tests put a fake here; a root helper process may follow.</summary>
public interface IHostKernel
{
    /// <summary>Opens the kernel for some operations in a row.</summary>
    IHostSession Open();
}

/// <summary>
/// Reads what operations would overwrite, and applies them. What was read is kept until an operation of this session alters it, so a session is as short as
/// its work. Not thread-safe.
/// </summary>
public interface IHostSession : IDisposable
{
    /// <summary>
    /// What undoes <paramref name="operation"/>, in the order to apply it, from the state as it is now; empty when the operation would change nothing.
    /// </summary>
    /// <exception cref="ChangeException">The operation cannot work in this state; nothing was changed.</exception>
    IReadOnlyList<HostOperation> InverseOf(HostOperation operation);

    /// <summary>
    /// The same for the first operation and as many after it, in order, as can be told from the present state: those whose inverse would be no other if the ones
    /// before it were applied already.
    /// </summary>
    /// <exception cref="ChangeException">The first operation cannot work in this state; nothing was changed.</exception>
    IReadOnlyList<IReadOnlyList<HostOperation>> InversesOf(IReadOnlyList<HostOperation> operations);

    /// <summary>Applies <paramref name="operation"/>; when its result is there already, nothing happens.</summary>
    /// <exception cref="ChangeException">The kernel refused; the sentence holds its reason.</exception>
    void Apply(HostOperation operation);

    /// <summary>
    /// The present state of what the operations can alter, as sorted lines without counters and indices: equal lines mean equal state.
    /// </summary>
    /// <exception cref="ChangeException">It cannot be read.</exception>
    IReadOnlyList<string> Facts(IReadOnlyCollection<HostOperation> operations);
}

/// <summary>Single calls, each in a session of its own.</summary>
public static class HostKernelCalls
{
    /// <inheritdoc cref="IHostSession.InverseOf"/>
    public static IReadOnlyList<HostOperation> InverseOf(this IHostKernel kernel, HostOperation operation)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        using var session = kernel.Open();
        return session.InverseOf(operation);
    }

    /// <inheritdoc cref="IHostSession.Apply"/>
    public static void Apply(this IHostKernel kernel, HostOperation operation)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        using var session = kernel.Open();
        session.Apply(operation);
    }

    /// <inheritdoc cref="IHostSession.Facts"/>
    public static IReadOnlyList<string> Facts(this IHostKernel kernel, IReadOnlyCollection<HostOperation> operations)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        using var session = kernel.Open();
        return session.Facts(operations);
    }
}
