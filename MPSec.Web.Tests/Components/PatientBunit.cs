using System.Runtime.CompilerServices;
using Bunit;

namespace MPSec.Tests.Components;

/// <summary>What is waited for may come late on a busy machine; a second is bUnit's own limit.</summary>
internal static class PatientBunit
{
    [ModuleInitializer]
    internal static void Set() => BunitContext.DefaultWaitTimeout = TimeSpan.FromSeconds(30);
}
